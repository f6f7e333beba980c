using System.Text.Json;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Fleet;
using Gateway.ControlPlane.Provider;
using Gateway.ControlPlane.Pull;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Admin;

/// <summary>Whether the gateway takes traffic, and why not. Thread safe.</summary>
public sealed class Readiness(DataPlaneHost host, ApplyQueue queue, FileProvider? file, BundlePuller? puller = null, FleetMember? fleet = null)
{
    private bool _draining;

    /// <summary>How it stands with the distributor; null when none is asked.</summary>
    public PullStatus? Pull => puller?.Status;

    /// <summary>One thing looked at. <paramref name="Blocks"/>: when it is not good, the gateway is not ready.</summary>
    public sealed record Check(string Name, bool Ok, bool Blocks, string? Detail, IReadOnlyList<ConfigError> Errors);

    /// <summary>From now on not ready: the drain begins.</summary>
    public void BeginDrain() => Volatile.Write(ref _draining, true);

    public bool IsReady => !Volatile.Read(ref _draining) && queue.Live is not null;

    public IReadOnlyList<Check> Checks()
    {
        LiveConfiguration? live = queue.Live;
        // A configuration becomes live only after its listeners are bound, so one answers for the other.
        int listeners = live is null ? 0 : host.Listeners().Count;
        bool draining = Volatile.Read(ref _draining);
        List<Check> checks =
        [
            new Check("config", live is not null, true, live is null ? "no configuration has been applied yet" : $"version {live.Version} by {live.Origin.Source} since {live.AppliedAt.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}", []),
            new Check("listeners", live is not null, true, live is null ? "not bound yet" : $"{listeners} bound", []),
            new Check("shutdown", !draining, true, draining ? "draining" : null, []),
        ];
        // What is live goes on being served, so these are for people, not for load balancers.
        if (file?.Status is { } status)
            checks.Add(new Check("file", status.IsGood, false, status.IsGood ? null : $"'{status.Path}' is not what is served, since {status.At.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}: {ApplyLedger.Summary(status.Errors)}", status.Errors));
        if (Pull is { } pull) checks.Add(new Check("pull", pull.IsGood, false, pull.ToString(), []));
        if (fleet is not null) checks.Add(OfFleet(fleet.Status));
        return checks;
    }

    // The last known configuration is served without the fleet too.
    private static Check OfFleet(FleetStatus status) => new("fleet", status is { Connected: true, Error: null }, false,
        status.Connected ? status.Error ?? $"replica {status.Replica}, {status.Replicas.Count} in all, change {status.Desired?.Sequence}" : $"the database at {status.Database} cannot be reached: {status.Error}", []);

    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteBoolean("ready", IsReady);
        writer.WriteStartArray("checks");
        foreach (Check check in Checks())
        {
            writer.WriteStartObject();
            writer.WriteString("name", check.Name);
            writer.WriteBoolean("ok", check.Ok);
            if (check.Detail is not null) writer.WriteString("detail", check.Detail);
            if (check.Errors.Count > 0) AdminJson.Errors(writer, "errors", check.Errors);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>A line per check, as the health endpoints of Kubernetes write them.</summary>
    public string Text() =>
        string.Concat(Checks().Select(static c => $"[{(c.Ok ? '+' : '-')}] {c.Name} {(c.Ok ? "ok" : "failed")}{(c.Detail is null ? "" : ": " + c.Detail)}\n")) + (IsReady ? "ready\n" : "not ready\n");
}
