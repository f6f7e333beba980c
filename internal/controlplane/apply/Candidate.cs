using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Apply;

/// <summary>A document on its way: what is known of it after the steps it has taken. Nothing live was touched.</summary>
internal sealed record Candidate(ConfigDocument Document)
{
    public GatewayConfig? Config { get; init; }

    public string? Version { get; init; }

    /// <summary>Null before the compile, or when that failed.</summary>
    public GatewaySnapshot? Snapshot { get; init; }

    public IReadOnlyList<ConfigError> Errors { get; init; } = [];

    public IReadOnlyList<ConfigError> Warnings { get; init; } = [];

    public bool IsBroken => Errors.Count > 0;
}

/// <summary>
/// The steps that start, apply, dry run, validate and rollback all take before anything is published; there is no other way from bytes to
/// a snapshot. Thread safe.
/// </summary>
internal sealed class CandidateSteps(DocumentReader reader, DataPlaneHost host)
{
    /// <summary>Size, language, form, meaning, version.</summary>
    public Candidate Read(ConfigDocument document)
    {
        DocumentReading reading = reader.Read(document);
        return new Candidate(document) { Config = reading.Config, Version = reading.Version, Errors = Named(document, reading.Errors), Warnings = Named(document, reading.Warnings) };
    }

    /// <summary>
    /// All that a candidate must pass to become live by an apply: the compile, then what the document itself expects of it, then how much of
    /// recorded traffic it may treat differently.
    /// </summary>
    /// <param name="rollout">The rollout whose budget counts; null for the one of plain applies.</param>
    public Candidate CompileAndCheck(Candidate candidate, string source, string? rollout = null)
    {
        candidate = Compile(candidate, source);
        if (!candidate.IsBroken) candidate = candidate with { Errors = Named(candidate.Document, host.CheckExpectations(candidate.Snapshot!)) };
        return candidate.IsBroken ? candidate : candidate with { Errors = ReplayGate.Check(candidate.Config!, host.Current?.Config, rollout ?? ReplayGate.Default, host.Replay(candidate.Snapshot!)) };
    }

    /// <summary>Adds the snapshot, or the errors that only the compiler sees. Enough for what was live before: going back to it needs no gate.</summary>
    public Candidate Compile(Candidate candidate, string source)
    {
        if (candidate.IsBroken) return candidate;
        CompileResult compiled = host.Compile(candidate.Config!, candidate.Version!, source);
        return candidate with
        {
            Snapshot = compiled.Snapshot,
            Errors = Named(candidate.Document, compiled.Errors),
            Warnings = [.. candidate.Warnings, .. Named(candidate.Document, compiled.Warnings)],
        };
    }

    /// <summary>With the layers that they are from, where the document is made of several.</summary>
    private static IReadOnlyList<ConfigError> Named(ConfigDocument document, IReadOnlyList<ConfigError> errors) =>
        document.Merged is not { } merged || errors.Count == 0 ? errors : [.. errors.Select(merged.Named)];
}

/// <summary>What a check without any gateway found.</summary>
public sealed record Checked(string? Version, IReadOnlyList<ConfigError> Errors, IReadOnlyList<ConfigError> Warnings);

/// <summary>The same steps for a program that runs no gateway: <c>gateway validate</c>.</summary>
public static class DocumentCheck
{
    public static Checked Run(ConfigDocument document, DocumentReader reader, DataPlaneHost host)
    {
        CandidateSteps steps = new(reader, host);
        Candidate candidate = steps.CompileAndCheck(steps.Read(document), "file");
        return new Checked(candidate.Version, candidate.Errors, candidate.Warnings);
    }
}
