namespace Gateway.Config.Validation;

/// <summary>The names of the items of one list.</summary>
internal sealed class UniqueNames(Findings findings, string list)
{
    private readonly Dictionary<string, int> _indexes = new(StringComparer.Ordinal);

    /// <summary>Checks the field <c>name</c> of the present item.</summary>
    public void Add(string name, int index)
    {
        if (Syntax.Name(name) is { } wrong) findings.Error("name", ConfigErrorCodes.InvalidValue, wrong);
        else if (!_indexes.TryAdd(name, index))
            findings.Error("name", ConfigErrorCodes.DuplicateName, $"{list}[{_indexes[name]}] has the name \"{Reading.JsonTokens.Shorten(name)}\" already; rename one of them");
    }
}
