using System.Text.Json.Serialization;

namespace Gateway.Ctl;

/// <summary>A plain text as a JSON value.</summary>
[JsonSerializable(typeof(string))]
internal sealed partial class TextJson : JsonSerializerContext;
