using Gateway.DataPlane.Proxy.Direct;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// A request's header fields in arrival order, kept to compare the next request of the connection with: a client sends nearly the same
/// fields each time, and what was found out about them once (sound, how long, how they look upstream) holds as long as they are equal.
/// </summary>
internal sealed class RequestFields
{
    // More than this is not kept while the connection idles.
    private const int MostKeptBytes = 4096;

    private (string Name, StringValues Values)[] _fields = new (string, StringValues)[16];
    private bool _changed = true;

    // Of the one table that its connection has; an exchange that goes from one connection to another takes the table with it.
    private int _tableVersion = -1;

    public ReadOnlySpan<(string Name, StringValues Values)> All => _fields.AsSpan(0, Count);

    public int Count { get; private set; }

    /// <summary>Changes when the fields do.</summary>
    public int Version { get; private set; }

    /// <summary>Field lines: a field with two values counts twice.</summary>
    public int Lines { get; private set; }

    /// <summary>As HTTP/1.1 writes them: "name: value" and a line end, once for each value.</summary>
    public int Bytes { get; private set; }

    /// <summary>Every name is a token, and no value has a control character.</summary>
    public bool IsSound { get; private set; }

    public void Read(IHeaderDictionary headers)
    {
        int count = 0;
        if (headers is FieldTable table)
        {
            if (table.Version == _tableVersion) return;
            _tableVersion = table.Version;
            foreach ((string name, StringValues values) in table.All) Take(count++, name, values);
        }
        else
        {
            foreach (KeyValuePair<string, StringValues> field in headers) Take(count++, field.Key, field.Value);
        }
        if (count < Count) Array.Clear(_fields, count, Count - count);
        else if (count == Count && !_changed) return;
        Count = count;
        _changed = false;
        Version++;
        Examine();
    }

    /// <summary>The connection may idle from here on.</summary>
    public void Rest()
    {
        if (Bytes <= MostKeptBytes) return;
        Array.Clear(_fields, 0, Count);
        Count = 0;
        _changed = true;
        _tableVersion = -1;
    }

    private void Take(int at, string name, in StringValues values)
    {
        if (at == _fields.Length) Array.Resize(ref _fields, at * 2);
        ref (string Name, StringValues Values) known = ref _fields[at];
        if (at < Count && IsSame(name, known.Name) && AreSame(values, known.Values)) return;
        known = (name, values);
        _changed = true;
    }

    private void Examine()
    {
        Lines = Bytes = 0;
        IsSound = true;
        foreach ((string name, StringValues values) in All)
        {
            Lines += values.Count;
            IsSound &= FieldSyntax.IsName(name);
            foreach (string? value in values)
            {
                Bytes += name.Length + value!.Length + 4;
                IsSound &= FieldSyntax.IsValue(value);
            }
        }
    }

    // Kestrel gives the same string for a name it knows, and mostly for a value that has not changed.
    private static bool IsSame(string a, string b) => ReferenceEquals(a, b) || a == b;

    private static bool AreSame(in StringValues a, in StringValues b) => a.Count == 1 && b.Count == 1 && IsSame(a[0]!, b[0]!);
}
