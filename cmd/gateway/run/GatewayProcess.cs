using System.Diagnostics;
using Gateway.Bundle;
using Gateway.Config;
using Gateway.ControlPlane.Admin;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Bundles;
using Gateway.ControlPlane.Fleet;
using Gateway.ControlPlane.Provider;
using Gateway.ControlPlane.Pull;
using Gateway.ControlPlane.Rollout;
using Gateway.ControlPlane.Store;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging;

namespace Gateway.Command.Run;

/// <summary>The composition of a running gateway: both planes, made by hand, started together, stopped in order.</summary>
internal sealed partial class GatewayProcess
{
    private static readonly TimeSpan FleetPatience = TimeSpan.FromSeconds(3);

    private readonly RunOptions _options;
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _log;

    private GatewayProcess(RunOptions options, ILoggerFactory loggers)
    {
        _options = options;
        _loggers = loggers;
        _log = loggers.CreateLogger("gateway");
    }

    /// <summary>Serves until a signal; the exit code. <paramref name="ready"/> is called once, when the gateway has said that it is ready.</summary>
    public static async Task<int> RunAsync(RunOptions options, Action? ready = null)
    {
        using StderrLog log = new(options.LogLevel);
        using LoggerFactory loggers = new([log], new LoggerFilterOptions { MinLevel = options.LogLevel });
        try
        {
            return await new GatewayProcess(options, loggers).RunAsync(ready);
        }
        catch (Exception e) when (e is FormatException or IOException)
        {
            await Console.Error.WriteLineAsync($"gateway: {e.Message}");
            return ExitCodes.Input;
        }
    }

    private async Task<int> RunAsync(Action? ready)
    {
        string? configFile = _options.ConfigFile is null ? null : Path.GetFullPath(_options.ConfigFile);
        string baseFolder = configFile is null ? Directory.GetCurrentDirectory() : Path.GetDirectoryName(configFile)!;
        PullOptions? pull = _options.Pull?.Load();
        using AdminListenOptions? listen = _options.Admin is null ? null : AdminListenOptions.Load(_options.Admin, _options.TlsCert, _options.TlsKey, _options.ClientCa);
        using ConfigStore store = ConfigStore.Open(_options.DataFolder);
        foreach (string note in store.Notes) LogStoreNote(_log, note);
        AuditLog audit = new(store.Folder);
        AdminToken token = AdminToken.LoadOrCreate(_options.TokenFile ?? Path.Combine(store.Folder, "admin.token"));
        if (token.IsExposed) LogTokenExposed(_log);

        await using DataPlaneHost host = new(new DataPlaneOptions(baseFolder, _loggers, _time) { StandardOutput = Console.OpenStandardOutput(), Transport = _options.Transport, Loops = _options.Loops, Zone = _options.Zone, AffinityKey = AffinityKey.LoadOrCreate(store.Folder) });
        AdminApi? api = null;
        await using SideListener side = new(async address =>
            await AdminServer.StartPlainAsync(AdminListenOptions.ParseAddress(address, "metrics.listener"), c => api!.HandleSideAsync(c), _loggers));
        BundleVerifier verifier = BundleKeyFiles.Read(_options.PublicKeys, _options.Threshold, _options.AllowUnsigned);
        if (pull is not null && verifier.KeyIds.Count == 0 && !_options.AllowUnsigned)
            throw new FormatException("--pull takes what the distributor serves, so say who must have signed it with --public-key; or say --allow-unsigned to trust the distributor and the way to it");
        await using ApplyQueue queue = new(host, store, audit, new DocumentReader(baseFolder), side, _time, _loggers) { SignedOnly = verifier.KeyIds.Count != 0 && !_options.AllowUnsigned };
        FleetOptions? fleetOptions = _options.Fleet.Read(_options.Admin);
        await using FleetMember? fleet = fleetOptions is null ? null : new FleetMember(fleetOptions, queue, store, audit, queue.SignedOnly ? verifier : null, host.Metrics, _time, _loggers);
        queue.Sharing = fleet;
        await using RolloutDirector rollouts = new(queue, host, RolloutStore.Open(store, _time), audit, _time, _loggers);
        fleet?.Attach(rollouts);
        BundleIntake bundles = new(queue, rollouts, verifier, audit, _time, _loggers);
        await using FileProvider? file = configFile is null ? null : new(configFile, queue, _time, _loggers);
        await using BundlePuller? puller = pull is null ? null : new(pull, bundles, () => store.BundleSequence, new PullMemory(store.Folder, PullMemory.JudgeOf(verifier, pull.Url)), host.Metrics, new Random().NextDouble, _time, _loggers) { Rollouts = rollouts };
        ListenerLines lines = new(host);
        queue.Published += lines.WriteNew;
        Readiness readiness = new(host, queue, file, puller, fleet);
        api = new AdminApi(host, queue, store, audit, readiness, token, bundles, rollouts, _time, _loggers, fleet);

        using StopSignals signals = new(() =>
        {
            host.ReopenAccessLog();
            file?.ReadNow();
        });
        Task<StartResult> starting = file is null ? queue.StartFromStoreAsync() : file.StartAsync(_options.LastGood);
        await using AdminServer? admin = listen is null ? null : await StartAdminAsync(listen, api, starting);
        StartResult started = await starting;
        if (!started.Started && configFile is not null) return await RefuseAsync(configFile, started);
        foreach (ConfigError warning in started.Warnings) LogWarning(_log, warning);
        foreach (ConfigError error in started.FileErrors) LogFileError(_log, configFile!, error);
        if (fleet is not null) await JoinAsync(fleet, admin);
        file?.Watch();
        rollouts.Start();
        if (admin is not null) SayAdmin(admin);
        puller?.Start();
        if (started.Started || await FirstAsync(queue, signals.Stop))
        {
            SayReady();
            ready?.Invoke();
        }

        await signals.Stop;
        if (puller is not null) await puller.DisposeAsync();
        await StopAsync(host, queue, file, fleet, rollouts, readiness);
        return ExitCodes.Ok;
    }

    // A replica that comes new begins with what the others serve, if the database is there to say so.
    private static Task JoinAsync(FleetMember fleet, AdminServer? admin)
    {
        fleet.Start(admin?.Url ?? "");
        return fleet.CaughtUpAsync(FleetPatience);
    }

    private async Task<AdminServer> StartAdminAsync(AdminListenOptions listen, AdminApi api, Task<StartResult> starting)
    {
        try
        {
            return await AdminServer.StartAsync(listen, api.HandleAsync, _loggers);
        }
        catch (IOException e)
        {
            // What is being started must not outlive this method's caller.
            _ = await starting;
            throw new IOException($"the admin listener {e.Message}. Choose another address with --admin.", e);
        }
    }

    private static async Task<int> RefuseAsync(string configFile, StartResult started)
    {
        foreach (ConfigError error in started.FileErrors) await Console.Error.WriteLineAsync($"{configFile}: {error}");
        await Console.Error.WriteLineAsync($"gateway: not started: {started.FileErrors.Count} error(s) in {configFile}");
        return ExitCodes.Input;
    }

    /// <summary>Waits for the first configuration; false when it is to stop before that.</summary>
    private async Task<bool> FirstAsync(ApplyQueue queue, Task stop)
    {
        TaskCompletionSource first = new(TaskCreationOptions.RunContinuationsAsynchronously);
        queue.Published += () => first.TrySetResult();
        if (queue.Live is not null) _ = first.TrySetResult();
        LogWaiting(_log);
        return await Task.WhenAny(first.Task, stop) == first.Task;
    }

    private static void SayAdmin(AdminServer admin)
    {
        Console.Out.WriteLine($"admin {admin.Url}");
        Console.Out.Flush();
    }

    private void SayReady()
    {
        Console.Out.WriteLine("ready");
        Console.Out.Flush();
        using Process process = Process.GetCurrentProcess();
        LogReady(_log, Math.Round((_time.GetUtcNow() - process.StartTime.ToUniversalTime()).TotalMilliseconds));
    }

    private async Task StopAsync(DataPlaneHost host, ApplyQueue queue, FileProvider? file, FleetMember? fleet, RolloutDirector rollouts, Readiness readiness)
    {
        readiness.BeginDrain();
        ShutdownConfig shutdown = host.Current?.Config.Shutdown ?? new ShutdownConfig();
        LogDraining(_log, shutdown.Drain, shutdown.Grace);
        Task drained = Task.Delay(shutdown.Drain);
        // Nothing is applied any more, before the data plane stops.
        if (file is not null) await file.DisposeAsync();
        await rollouts.DisposeAsync();
        if (fleet is not null) await fleet.DisposeAsync();
        await queue.DisposeAsync();
        await drained;
        StopReport report = await host.StopAsync(shutdown.Grace);
        LogStopped(_log, report.Finished, report.Aborted);
    }

    [LoggerMessage(1, LogLevel.Information, "ready, {Milliseconds} ms after the start of the process")]
    private static partial void LogReady(ILogger logger, double milliseconds);

    [LoggerMessage(2, LogLevel.Information, "draining: not ready for {Drain}, then requests in flight have {Grace} to end")]
    private static partial void LogDraining(ILogger logger, TimeSpan drain, TimeSpan grace);

    [LoggerMessage(3, LogLevel.Information, "stopped: {Finished} requests in flight finished, {Aborted} were aborted")]
    private static partial void LogStopped(ILogger logger, int finished, int aborted);

    [LoggerMessage(4, LogLevel.Warning, "{Note}")]
    private static partial void LogStoreNote(ILogger logger, string note);

    [LoggerMessage(5, LogLevel.Warning, "{Warning}")]
    private static partial void LogWarning(ILogger logger, ConfigError warning);

    [LoggerMessage(6, LogLevel.Error, "{Path}: {Error}")]
    private static partial void LogFileError(ILogger logger, string path, ConfigError error);

    [LoggerMessage(8, LogLevel.Warning, "nothing to serve yet: not ready until the first configuration comes")]
    private static partial void LogWaiting(ILogger logger);

    [LoggerMessage(7, LogLevel.Warning, "the admin token file can be read by everyone on this machine; chmod 600 it if that is not meant")]
    private static partial void LogTokenExposed(ILogger logger);
}
