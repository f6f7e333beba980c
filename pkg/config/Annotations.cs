namespace Gateway.Config;

/// <summary>What a field means, with its unit and, where it was taken from another server or an RFC, its source. Becomes the description in the JSON Schema.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Class | AttributeTargets.Field | AttributeTargets.Struct)]
public sealed class DocAttribute(string text) : Attribute
{
    public string Text { get; } = text;
}

/// <summary>The smallest and largest legal value of a number, a duration (in the same text form as the document's) or a size.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class RangeAttribute(string min, string max) : Attribute
{
    public string Min { get; } = min;
    public string Max { get; } = max;
}

/// <summary>A document may write the value of this field, a text, in place of the whole object.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class ShorthandAttribute(string property) : Attribute
{
    public string Property { get; } = property;
}

/// <summary>An example value for the schema, as the document writes it.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ExampleAttribute(string json) : Attribute
{
    public string Json { get; } = json;
}
