using System.Text;

namespace Gateway.TestKit;

/// <summary>
/// As much of HPACK (RFC 7541) as is needed to read the method and the path that .NET's client sends: entries of the static table and plain
/// literals. What it meets beyond that is passed over.
/// </summary>
internal static class Hpack
{
    /// <summary>Both; "" for one that cannot be read.</summary>
    public static (string Method, string Path) MethodAndPathOf(ReadOnlySpan<byte> block)
    {
        (string method, string path) = ("", "");
        while (block.Length > 0)
        {
            byte first = block[0];
            if ((first & 0x80) != 0)
            {
                switch (Integer(ref block, 7))
                {
                    case 2: method = "GET"; break;
                    case 3: method = "POST"; break;
                    case 4: path = "/"; break;
                    case 5: path = "/index.html"; break;
                }
                continue;
            }
            if ((first & 0xe0) == 0x20)
            {
                // A change of the table's size.
                _ = Integer(ref block, 5);
                continue;
            }
            int index = Integer(ref block, (first & 0x40) != 0 ? 6 : 4);
            string name = index == 0 ? Text(ref block) : index switch { 2 or 3 => ":method", 4 or 5 => ":path", _ => "" };
            string value = Text(ref block);
            if (name == ":method") method = value;
            else if (name == ":path") path = value;
        }
        return (method, path);
    }

    private static int Integer(ref ReadOnlySpan<byte> block, int prefix)
    {
        int most = (1 << prefix) - 1, value = block[0] & most;
        block = block[1..];
        if (value < most) return value;
        for (int shift = 0; ; shift += 7)
        {
            byte next = block[0];
            block = block[1..];
            value += (next & 0x7f) << shift;
            if ((next & 0x80) == 0) return value;
        }
    }

    private static string Text(ref ReadOnlySpan<byte> block)
    {
        bool isHuffman = (block[0] & 0x80) != 0;
        int length = Integer(ref block, 7);
        string text = isHuffman ? "" : Encoding.Latin1.GetString(block[..length]);
        block = block[length..];
        return text;
    }
}
