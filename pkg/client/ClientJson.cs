using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gateway.Client;

/// <summary>Serializers of the admin API's messages, made at build time: no reflection at run time.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ApplyResult))]
[JsonSerializable(typeof(ValidateResult))]
[JsonSerializable(typeof(RollbackResult))]
[JsonSerializable(typeof(RollbackRequest))]
[JsonSerializable(typeof(Snapshot))]
[JsonSerializable(typeof(History))]
[JsonSerializable(typeof(PoolList))]
[JsonSerializable(typeof(RouteList))]
[JsonSerializable(typeof(AuditLog))]
[JsonSerializable(typeof(Fleet))]
[JsonSerializable(typeof(FleetHistory))]
[JsonSerializable(typeof(FleetAuditLog))]
[JsonSerializable(typeof(ExplainRequest))]
[JsonSerializable(typeof(Explanation))]
[JsonSerializable(typeof(Difference))]
[JsonSerializable(typeof(RolloutList))]
[JsonSerializable(typeof(Rollout))]
[JsonSerializable(typeof(Readiness))]
[JsonSerializable(typeof(Problem))]
public sealed partial class ClientJson : JsonSerializerContext;

/// <summary>Body of <c>POST /admin/rollback</c>; without anything the version before the live one.</summary>
/// <param name="At">In place of a version: what was live at that time.</param>
public sealed record RollbackRequest(string? Version, DateTimeOffset? At = null);
