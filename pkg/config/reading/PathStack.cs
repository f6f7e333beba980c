using System.Text;
using System.Text.Encodings.Web;

namespace Gateway.Config.Reading;

/// <summary>Where in the document the reader is. Costs two stores per level; the text is made only for an error.</summary>
internal sealed class PathStack
{
    private struct Segment
    {
        public string? Name;
        public int Index;
    }

    private Segment[] _segments = new Segment[16];
    private int _depth;

    public void Push(string name) => Next().Name = name;

    public void PushIndex(int index)
    {
        ref Segment segment = ref Next();
        segment.Name = null;
        segment.Index = index;
    }

    public void Pop() => _depth--;

    private ref Segment Next()
    {
        if (_depth == _segments.Length) Array.Resize(ref _segments, _depth * 2);
        return ref _segments[_depth++];
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (ref readonly Segment segment in _segments.AsSpan(0, _depth))
        {
            if (segment.Name is { } name) AppendName(text, name);
            else text.Append('[').Append(segment.Index).Append(']');
        }
        return text.ToString();
    }

    /// <summary>The path of a member of the object at <paramref name="parent"/>: dotted, or quoted when the name has other than letters, digits, <c>_</c>, <c>$</c> and <c>-</c>.</summary>
    public static string Member(string parent, string name)
    {
        var text = new StringBuilder(parent);
        AppendName(text, name);
        return text.ToString();
    }

    private static void AppendName(StringBuilder text, string name)
    {
        if (IsPlain(name))
        {
            if (text.Length > 0) text.Append('.');
            text.Append(name);
        }
        else
        {
            text.Append("[\"").Append(JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(name)).Append("\"]");
        }
    }

    private static bool IsPlain(string name)
    {
        foreach (char c in name)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '$' or '-')) return false;
        return name.Length > 0;
    }
}
