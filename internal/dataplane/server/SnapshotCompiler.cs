using Gateway.Config;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Server;

/// <summary>
/// A document becomes a snapshot: names resolved to objects, defaults filled, certificates read. Pure towards everything live: it takes
/// states from the registry and enters none. All errors are collected.
/// </summary>
internal sealed class SnapshotCompiler(PoolParts parts)
{
    /// <param name="live">Null before the first.</param>
    /// <param name="trial">For a candidate to be tried beside <paramref name="live"/>; null for one to take its place.</param>
    public CompileResult Compile(GatewayConfig config, string version, string source, GatewaySnapshot? live, CanaryStates? trial = null)
    {
        List<ConfigError> errors = [];
        List<ConfigError> warnings = [];
        // 1. What routes refer to.
        PoolModel[] pools = new PoolCompiler(parts, live, trial).Compile(config.Pools, errors);
        // 2. Routes, in the order of the document.
        RouteModel[] routes = new RouteCompiler(parts.Registry, parts.Time, trial).Compile(config, pools, errors);
        // 3. Listeners, with the tables of the routes they serve.
        ListenerModel[] listeners = new ListenerCompiler(parts.BaseDirectory, parts.Registry, parts.Time).Compile(config, errors, warnings, out ListenerDraft[] drafts)
            ? new RoutingCompiler(config, routes, parts.Time).Compile(drafts, errors, warnings)
            : [];
        // 4. What is the whole process's.
        AccessLogModel accessLog = AccessLogModel.Compile(config.AccessLog, parts.BaseDirectory, errors);
        if (errors.Count > 0) return new CompileResult(null, errors, warnings);

        GatewaySnapshot snapshot = new(version)
        {
            Source = source,
            CompiledAt = parts.Time.GetUtcNow(),
            Config = config,
            AccessLog = accessLog,
            Recording = RecordingModel.Compile(config),
            Listeners = listeners,
            Routes = routes,
            Pools = pools,
        };
        return new CompileResult(snapshot, errors, warnings);
    }
}
