using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>Gathers the fields in which two records differ, each at the <see cref="Path"/> of the moment.</summary>
internal sealed class FieldChanges
{
    private readonly List<FieldChange> _changes = [];

    public PathStack Path { get; } = new();

    public IReadOnlyList<FieldChange> Changes => _changes;

    public void Add(string? before, string? after) => _changes.Add(new FieldChange(Path.ToString(), before, after));
}
