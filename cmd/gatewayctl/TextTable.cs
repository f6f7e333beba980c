using System.Text;

namespace Gateway.Ctl;

/// <summary>
/// Columns without lines around them. A column named with a leading <c>#</c> is of numbers and set to the right; one with a leading <c>?</c>
/// may be left out where the width does not suffice for all. What then is still too wide is cut, the widest column first.
/// </summary>
internal sealed class TextTable
{
    private const int Gap = 2;
    private const int NarrowestCut = 10;
    private readonly Column[] _columns;
    private readonly IReadOnlyList<string[]> _rows;

    /// <param name="columns">Names with their marks.</param>
    /// <param name="rows">Cells, as many as columns.</param>
    /// <param name="width">Characters on a line; null for any number.</param>
    public TextTable(string[] columns, IReadOnlyList<string[]> rows, int? width)
    {
        _rows = rows;
        _columns = [.. columns.Select((name, i) => new Column(name.TrimStart('#', '?'), i, name.Contains('#'), name.Contains('?')))];
        foreach (Column column in _columns) column.Width = rows.Aggregate(column.Name.Length, (most, row) => Math.Max(most, row[column.Index].Length));
        if (width is { } w) Fit(w);
    }

    public IEnumerable<string> Lines(Func<string, string, string> style)
    {
        yield return Line(c => c.Name, cell => style("header", cell));
        foreach (string[] row in _rows) yield return Line(c => row[c.Index], cell => style(cell, cell));
    }

    private string Line(Func<Column, string> text, Func<string, string> style)
    {
        var line = new StringBuilder();
        int pending = 0;
        foreach (Column column in _columns)
        {
            if (column.IsLeftOut) continue;
            string cell = text(column);
            if (cell.Length > column.Width) cell = string.Concat(cell.AsSpan(0, column.Width - 1), "…");
            int pad = column.Width - cell.Length;
            // Spaces are written before the next cell, so that no line ends in any.
            if (cell.Length > 0)
            {
                _ = line.Append(' ', pending + (column.IsNumber ? pad : 0)).Append(style(cell));
                pending = column.IsNumber ? Gap : pad + Gap;
            }
            else pending += column.Width + Gap;
        }
        return line.ToString();
    }

    private void Fit(int width)
    {
        foreach (Column column in _columns.Where(c => c.IsOptional).Reverse())
        {
            if (Total() <= width) return;
            column.IsLeftOut = true;
        }
        while (Total() > width)
        {
            Column widest = _columns.Where(c => !c.IsLeftOut && !c.IsNumber).MaxBy(c => c.Width)!;
            if (widest.Width <= NarrowestCut) return;
            widest.Width--;
        }
    }

    private int Total() => _columns.Where(c => !c.IsLeftOut).Sum(c => c.Width + Gap) - Gap;

    private sealed record Column(string Name, int Index, bool IsNumber, bool IsOptional)
    {
        public int Width { get; set; }
        public bool IsLeftOut { get; set; }
    }
}
