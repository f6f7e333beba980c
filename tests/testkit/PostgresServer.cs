using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Gateway.TestKit;

/// <summary>
/// A PostgreSQL server of a test's own, on a free port of loopback with a data folder that goes with it. PostgreSQL refuses to run as root, so
/// there it is run as <c>postgres</c> or <c>nobody</c>.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private static readonly string? Binaries = Find();
    private readonly string _folder;
    private readonly int _port;

    private PostgresServer(string folder, int port) => (_folder, _port) = (folder, port);

    /// <summary>Null where PostgreSQL is there; else what is missing.</summary>
    public static string? Missing => Binaries is null ? "initdb and pg_ctl are not there, on the PATH or in /usr/lib/postgresql: install the package postgresql" : null;

    /// <summary>Throws where the tests must not go without it (in CI, which says so with <c>CI=true</c>); else the reason for skipping them, or null for none.</summary>
    public static string? Skip(string? missing, string? ci) => missing is null ? null
        : ci is "true" or "1" ? throw new InvalidOperationException($"CI tests fleets on a real PostgreSQL, and it is missing: {missing}")
        : $"SKIPPED: NO FLEET WAS TESTED: {missing}";

    /// <summary>As Npgsql takes it.</summary>
    public string ConnectionString => ConnectionTo(_port);

    public int Port => _port;

    /// <summary>By way of another port, where a relay listens.</summary>
    public static string ConnectionTo(int port) => $"Host=127.0.0.1;Port={port.ToString(CultureInfo.InvariantCulture)};Username=gateway;Database=postgres";

    public static async Task<PostgresServer> StartAsync()
    {
        string folder = Directory.CreateTempSubdirectory("gateway-pg-").FullName;
        PostgresServer server = new(folder, FreePort());
        if (User() is { } user) await MustAsync("chown", user, folder);
        await server.RunAsync("initdb", "--pgdata", server.Data, "--username", "gateway", "--auth", "trust", "--encoding", "UTF8", "--no-sync", "--no-instructions");
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts it after <see cref="StopAsync"/>, on the same port with the same data.</summary>
    public Task StartAgainAsync() => RunAsync("pg_ctl", "--pgdata", Data, "--wait", "--timeout", "60", "--log", Path.Combine(_folder, "log"),
        "--options", $"-p {_port.ToString(CultureInfo.InvariantCulture)} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=50", "start");

    /// <summary>Ends it at once, as a machine that goes away does: connections break.</summary>
    public Task StopAsync() => RunAsync("pg_ctl", "--pgdata", Data, "--wait", "--mode", "immediate", "stop");

    /// <summary>Runs a statement, as whoever can write to the database might.</summary>
    public Task ExecuteAsync(string sql) => RunAsync("psql", "--host", "127.0.0.1", "--port", _port.ToString(CultureInfo.InvariantCulture), "--username", "gateway", "--dbname", "postgres", "--set", "ON_ERROR_STOP=1", "--command", sql);

    /// <summary>It hangs from now on: its sockets take connections and bytes, and nothing comes back.</summary>
    public Task FreezeAsync() => SignalAsync("STOP");

    /// <summary>It goes on after <see cref="FreezeAsync"/>.</summary>
    public Task ThawAsync() => SignalAsync("CONT");

    // The postmaster first, so that it starts no other ones meanwhile; each connection has a process of its own.
    private async Task SignalAsync(string signal)
    {
        string postmaster = File.ReadLines(Path.Combine(Data, "postmaster.pid")).First();
        await MustAsync("kill", $"-{signal}", postmaster);
        string[] children = (await File.ReadAllTextAsync($"/proc/{postmaster}/task/{postmaster}/children")).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        // Some may have ended since.
        await MustAsync("sh", ["-c", "for child; do kill \"$0\" \"$child\" || true; done", $"-{signal}", .. children]);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (File.Exists(Path.Combine(Data, "postmaster.pid")))
            {
                await ThawAsync();
                await StopAsync();
            }
        }
        finally
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private string Data => Path.Combine(_folder, "data");

    private Task RunAsync(string program, params string[] arguments)
    {
        string path = Path.Combine(Binaries!, program);
        return User() is { } user
            ? MustAsync("setpriv", ["--reuid", user, "--regid", user == "nobody" ? "nogroup" : user, "--clear-groups", path, .. arguments])
            : MustAsync(path, arguments);
    }

    // Not over pipes: the server inherits them and keeps them open.
    private static async Task MustAsync(string program, params string[] arguments)
    {
        string log = Path.GetTempFileName();
        try
        {
            ProcessStartInfo start = new("/bin/sh") { WorkingDirectory = "/", ArgumentList = { "-c", "out=$1; shift; exec \"$@\" >\"$out\" 2>&1 </dev/null", "sh", log, program } };
            foreach (string argument in arguments) start.ArgumentList.Add(argument);
            using Process process = Process.Start(start)!;
            await Eventually.Within($"the end of {program}", process.WaitForExitAsync(), TimeSpan.FromSeconds(90));
            if (process.ExitCode != 0) throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {await File.ReadAllTextAsync(log)}");
        }
        finally
        {
            File.Delete(log);
        }
    }

    private static string? User()
    {
        if (Environment.UserName != "root") return null;
        return File.ReadLines("/etc/passwd").Any(static l => l.StartsWith("postgres:", StringComparison.Ordinal)) ? "postgres" : "nobody";
    }

    private static string? Find()
    {
        IEnumerable<string> installed = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").OrderDescending(StringComparer.Ordinal).Select(static d => Path.Combine(d, "bin"))
            : [];
        return installed.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')).FirstOrDefault(static d => File.Exists(Path.Combine(d, "initdb")) && File.Exists(Path.Combine(d, "pg_ctl")));
    }

    private static int FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
