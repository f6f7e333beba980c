namespace Gateway.Config.Reading;

/// <summary>Errors up to a number, and how many came after.</summary>
internal sealed class ErrorList(int max, string rest = "errors are not listed; mend these first")
{
    private readonly List<ConfigError> _errors = [];

    public int Count { get; private set; }

    /// <summary>Further errors are only counted, so that their messages need not be thought about.</summary>
    public bool IsFull => Count >= max;

    public IReadOnlyList<ConfigError> Listed => _errors;

    /// <summary>Counts an error whose message nobody would see.</summary>
    public void AddUnlisted() => Count++;

    public void Add(string path, string code, string message)
    {
        if (Count++ < max) _errors.Add(new ConfigError(path, code, message));
    }

    /// <summary>The errors, with a last one that says how many are not listed.</summary>
    public IReadOnlyList<ConfigError> ToList()
    {
        if (Count <= _errors.Count) return _errors;
        return [.. _errors, new ConfigError("", ConfigErrorCodes.TooMany, $"{Count - _errors.Count} more {rest}")];
    }
}
