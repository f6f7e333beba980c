using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;

namespace Gateway.Core.Router;

/// <summary>
/// A compiled <see cref="ValueCondition"/>. A query is read as HTML forms and ASP.NET write it: parameters between ampersands, percent
/// encoding and <c>+</c> for a space in names and values, UTF-8; a parameter without equals sign has an empty value.
/// </summary>
internal sealed class ValueTest
{
    private const int OnStack = 256;

    private readonly byte[] _name;
    private readonly byte[] _value;
    private readonly Regex? _regex;

    public ValueTest(ValueCondition condition, RegexCache regexes)
    {
        Condition = condition;
        _name = Encoding.UTF8.GetBytes(condition.Name);
        _value = Encoding.UTF8.GetBytes(condition.Text);
        if (condition.Kind == ValueConditionKind.Regex) _regex = regexes.Get(condition.Text);
    }

    public ValueCondition Condition { get; }

    public bool HoldsForHeader<TRequest>(ref TRequest request)
        where TRequest : struct, IRouteRequest, allows ref struct
    {
        for (int i = 0; request.HeaderValue(Condition.Name, i) is { } value; i++)
        {
            switch (Condition.Kind)
            {
                case ValueConditionKind.Present: return true;
                case ValueConditionKind.Absent: return false;
                case ValueConditionKind.Equals when value == Condition.Text: return true;
                case ValueConditionKind.Regex when _regex!.IsMatch(value): return true;
            }
        }
        return Condition.Kind == ValueConditionKind.Absent;
    }

    public bool HoldsForQuery(ReadOnlySpan<char> query)
    {
        while (query.Length != 0)
        {
            int end = query.IndexOf('&');
            ReadOnlySpan<char> parameter = end < 0 ? query : query[..end];
            query = end < 0 ? default : query[(end + 1)..];
            if (parameter.Length == 0) continue;

            int equals = parameter.IndexOf('=');
            ReadOnlySpan<char> value = equals < 0 ? default : parameter[(equals + 1)..];
            if (!FormText.DecodedEquals(equals < 0 ? parameter : parameter[..equals], _name)) continue;
            switch (Condition.Kind)
            {
                case ValueConditionKind.Present: return true;
                case ValueConditionKind.Absent: return false;
                case ValueConditionKind.Equals when FormText.DecodedEquals(value, _value): return true;
                case ValueConditionKind.Regex when RegexHolds(value): return true;
            }
        }
        return Condition.Kind == ValueConditionKind.Absent;
    }

    private bool RegexHolds(ReadOnlySpan<char> raw)
    {
        int most = FormText.MaxDecodedLength(raw.Length);
        byte[]? rentedBytes = null;
        char[]? rentedChars = null;
        Span<byte> bytes = most <= OnStack ? stackalloc byte[OnStack] : rentedBytes = ArrayPool<byte>.Shared.Rent(most);
        Span<char> chars = most <= OnStack ? stackalloc char[OnStack] : rentedChars = ArrayPool<char>.Shared.Rent(most);
        int count = Encoding.UTF8.GetChars(bytes[..FormText.Decode(raw, bytes)], chars);
        bool holds = _regex!.IsMatch(chars[..count]);
        if (rentedBytes is not null) ArrayPool<byte>.Shared.Return(rentedBytes);
        if (rentedChars is not null) ArrayPool<char>.Shared.Return(rentedChars);
        return holds;
    }
}
