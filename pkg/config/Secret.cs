namespace Gateway.Config;

/// <summary>
/// A text that is never shown: a literal, or a reference <c>${env:NAME}</c> or <c>${file:PATH}</c> that the reader resolves. Its
/// <see cref="ToString"/> is the reference, or <c>***</c> for a literal, so that records and logs that print it give nothing away.
/// </summary>
public sealed class Secret : IEquatable<Secret>
{
    private Secret(string? value, string? reference)
    {
        Value = value;
        Reference = reference;
    }

    /// <summary>The secret itself; null when it is a reference that was not resolved, because the reader was given nothing to resolve it with.</summary>
    public string? Value { get; }

    /// <summary>The reference as the document has it; null for a literal.</summary>
    public string? Reference { get; }

    /// <summary>A secret that stands in the document itself.</summary>
    public static Secret Literal(string value) => new(value, null);

    /// <summary>A secret that the document refers to.</summary>
    public static Secret Resolved(string reference, string? value) => new(value, reference);

    /// <inheritdoc/>
    public bool Equals(Secret? other) => other is not null && Value == other.Value && Reference == other.Reference;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Secret);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Value, Reference);

    /// <summary>The reference, or <c>***</c>.</summary>
    public override string ToString() => Reference ?? "***";
}
