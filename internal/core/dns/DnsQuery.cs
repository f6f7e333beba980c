using System.Buffers.Binary;
using System.Text;

namespace Gateway.Core.Dns;

/// <summary>Writes questions (RFC 1035 section 4). Pure.</summary>
public static class DnsQuery
{
    /// <summary>The longest question: header, name, type and class.</summary>
    public const int MaxLength = 12 + DnsName.MaxWire + 4;

    /// <summary>Writes a question with recursion desired and returns its length; 0 when the name cannot be asked for (too long, an empty label).</summary>
    /// <param name="buffer">At least <see cref="MaxLength"/> bytes.</param>
    /// <param name="id">By which the answer is known.</param>
    /// <param name="name">ASCII, labels separated by dots; a dot at its end makes no difference.</param>
    /// <param name="type">What is asked for.</param>
    public static int Write(Span<byte> buffer, ushort id, string name, DnsType type)
    {
        buffer[..12].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(buffer, id);
        buffer[2] = 1;
        buffer[5] = 1;
        int at = 12;
        ReadOnlySpan<char> rest = name.AsSpan().TrimEnd('.');
        if (rest.IsEmpty || !Ascii.IsValid(rest) || rest.Length > DnsName.MaxText) return 0;
        foreach (Range range in rest.Split('.'))
        {
            ReadOnlySpan<char> label = rest[range];
            if (label.Length is 0 or > DnsName.MaxLabel) return 0;
            buffer[at++] = (byte)label.Length;
            at += Encoding.ASCII.GetBytes(label, buffer[at..]);
        }
        buffer[at++] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(buffer[at..], (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(buffer[(at + 2)..], 1);
        return at + 4;
    }
}
