using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy.Direct;

/// <summary>
/// Header fields in the order in which they came. A dozen are found faster by looking at each than by a hash; names that are the same
/// object, as nearly all are, by one comparison. Not thread safe.
/// </summary>
internal sealed class FieldTable : IHeaderDictionary
{
    private const string LengthName = "Content-Length";

    private (string Name, StringValues Values)[] _fields = new (string, StringValues)[12];
    private int _count;

    // Set alone for a response, whose writer needs the number; beside the field for a request.
    private long _length = -1;

    /// <summary>Changes when a field does.</summary>
    public int Version { get; private set; }

    /// <summary>All fields, without a length that is known as a number only.</summary>
    public ReadOnlySpan<(string Name, StringValues Values)> All => _fields.AsSpan(0, _count);

    public long? ContentLength
    {
        get => _length < 0 ? null : _length;
        set
        {
            RemoveField(LengthName);
            _length = value ?? -1;
            Version++;
        }
    }

    public StringValues this[string key]
    {
        get => IndexOf(key) is >= 0 and int i ? _fields[i].Values : IsLength(key) ? LengthText : StringValues.Empty;
        set
        {
            if (value.Count == 0)
            {
                Remove(key);
                return;
            }
            Version++;
            if (IsLength(key)) _length = long.TryParse(value.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out long length) ? length : -1;
            if (IndexOf(key) is >= 0 and int i) _fields[i].Values = value;
            else Append(key, value);
        }
    }

    public int Count => _count + (HasNumberOnly ? 1 : 0);
    public bool IsReadOnly => false;
    public ICollection<string> Keys => [.. this.Select(static pair => pair.Key)];
    public ICollection<StringValues> Values => [.. this.Select(static pair => pair.Value)];

    /// <summary>Adds a field that is not there yet.</summary>
    public void Append(string name, in StringValues values)
    {
        if (_count == _fields.Length) Array.Resize(ref _fields, _count * 2);
        _fields[_count++] = (name, values);
    }

    /// <summary>What the request's Content-Length field, which is among the fields, says.</summary>
    public void SetLength(long length) => _length = length;

    public void Clear()
    {
        Array.Clear(_fields, 0, _count);
        _count = 0;
        _length = -1;
        Version++;
    }

    public bool ContainsKey(string key) => IndexOf(key) >= 0 || (IsLength(key) && _length >= 0);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out StringValues value)
    {
        value = this[key];
        return value.Count != 0;
    }

    public bool Remove(string key)
    {
        bool found = ContainsKey(key);
        RemoveField(key);
        if (IsLength(key)) _length = -1;
        Version++;
        return found;
    }

    public void Add(string key, StringValues value)
    {
        if (ContainsKey(key)) throw new ArgumentException($"there is a field '{key}' already", nameof(key));
        this[key] = value;
    }

    public void Add(KeyValuePair<string, StringValues> item) => Add(item.Key, item.Value);
    public bool Contains(KeyValuePair<string, StringValues> item) => ContainsKey(item.Key) && this[item.Key].Equals(item.Value);
    public bool Remove(KeyValuePair<string, StringValues> item) => Contains(item) && Remove(item.Key);

    public void CopyTo(KeyValuePair<string, StringValues>[] array, int arrayIndex)
    {
        foreach (KeyValuePair<string, StringValues> field in this) array[arrayIndex++] = field;
    }

    public IEnumerator<KeyValuePair<string, StringValues>> GetEnumerator()
    {
        for (int i = 0; i < _count; i++) yield return new(_fields[i].Name, _fields[i].Values);
        if (HasNumberOnly) yield return new(LengthName, LengthText);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private bool HasNumberOnly => _length >= 0 && IndexOf(LengthName) < 0;

    private StringValues LengthText => _length < 0 ? StringValues.Empty : _length.ToString(CultureInfo.InvariantCulture);

    private static bool IsLength(string key) => ReferenceEquals(key, LengthName) || (key.Length == LengthName.Length && key.Equals(LengthName, StringComparison.OrdinalIgnoreCase));

    private void RemoveField(string key)
    {
        int i = IndexOf(key);
        if (i < 0) return;
        _count--;
        Array.Copy(_fields, i + 1, _fields, i, _count - i);
        _fields[_count] = default;
    }

    private int IndexOf(string key)
    {
        (string Name, StringValues Values)[] fields = _fields;
        for (int i = 0; i < _count && i < fields.Length; i++)
        {
            string name = fields[i].Name;
            if (ReferenceEquals(name, key) || (name.Length == key.Length && name.Equals(key, StringComparison.OrdinalIgnoreCase))) return i;
        }
        return -1;
    }
}
