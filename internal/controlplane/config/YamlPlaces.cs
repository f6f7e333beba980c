using YamlDotNet.Core;

namespace Gateway.ControlPlane.Documents;

/// <summary>Which place of the YAML each token of the JSON came from.</summary>
internal sealed class YamlPlaces
{
    private readonly List<(int Offset, int Line, int Column)> _places = [];

    /// <summary>Offsets are added in rising order.</summary>
    public void Add(int offset, Mark mark) => _places.Add((offset, (int)mark.Line, (int)mark.Column));

    /// <summary>The place of the last token that starts at or before the offset.</summary>
    public (int Line, int Column) Find(int offset)
    {
        int low = 0, high = _places.Count - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (_places[middle].Offset <= offset) low = middle;
            else high = middle - 1;
        }
        return _places.Count == 0 ? (1, 1) : (_places[low].Line, _places[low].Column);
    }
}
