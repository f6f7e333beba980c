using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Gateway.TestKit;

/// <summary>How a gateway is started by a test.</summary>
public sealed record GatewayProcessOptions
{
    /// <summary>More arguments after those the harness gives.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>The value of <c>--admin</c>.</summary>
    public string Admin { get; init; } = "127.0.0.1:0";

    /// <summary>Name of the configuration file in the folder; its extension chooses JSON or YAML.</summary>
    public string ConfigName { get; init; } = "gateway.json";

    /// <summary>The folder with configuration and data, when a test wants it to outlive the process; else one of its own.</summary>
    public TempFolder? Folder { get; init; }

    /// <summary>How long to wait for the ready line.</summary>
    public TimeSpan StartDeadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>SIGHUP is ignored when it starts, as under nohup.</summary>
    public bool IgnoringHangUp { get; init; }

    /// <summary>Start without <c>--config</c>.</summary>
    public bool WithoutConfig { get; init; }

    /// <summary>Return when it is ready. False: when its admin listener is there.</summary>
    public bool WaitForReady { get; init; } = true;

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
}

/// <summary>
/// The built executable <c>bin/gateway run</c> with real sockets. The agreement with the executable, line by line on its standard output:
/// <code>
/// listening NAME http://127.0.0.1:PORT     one for each listener when it has been bound, at start and by a later apply;
///                                          https:// with TLS, unix:PATH for a unix socket
/// admin http://127.0.0.1:PORT              the admin listener (https:// with TLS); none with --admin off
/// ready                                    the first configuration is applied; /readyz answers 200
/// </code>
/// The port is the real one where the configuration said 0. The access log may be on the same stream; its lines begin with <c>{</c> or an address.
/// The gateway's own log goes to standard error. The admin token is the file <c>DATA/admin.token</c>.
/// </summary>
public sealed class GatewayProcess : IAsyncDisposable
{
    private static readonly ConcurrentDictionary<int, Process> Running = new();

    private readonly Process _process;
    private readonly TempFolder _folder;
    private readonly bool _ownsFolder;
    private readonly ConcurrentQueue<string> _out = new(), _error = new();
    private readonly ConcurrentDictionary<string, string> _listeners = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _hasAdmin = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _reading;
    private HttpClient? _admin;

    // A test run that is stopped must not leave gateways behind.
    static GatewayProcess() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        foreach (Process process in Running.Values)
        {
            try { process.Kill(); }
            catch (InvalidOperationException) { }
        }
    };

    private GatewayProcess(Process process, TempFolder folder, bool ownsFolder, string configFile)
    {
        _process = process;
        _folder = folder;
        _ownsFolder = ownsFolder;
        ConfigFile = configFile;
        _reading = Task.WhenAll(ReadOutAsync(), ReadErrorAsync());
    }

    /// <summary>The executables under test.</summary>
    public static string Executable => RepositoryRoot.PathOf("bin/gateway");

    public static string CtlExecutable => RepositoryRoot.PathOf("bin/gatewayctl");

    public TempFolder Folder => _folder;
    public string ConfigFile { get; }
    public string DataDir => _folder["data"];
    public int ProcessId => _process.Id;
    public bool HasExited => _process.HasExited;

    /// <summary>The admin listener's address.</summary>
    public Uri AdminAddress { get; private set; } = new("http://127.0.0.1:1");

    /// <summary>The admin token, from its file.</summary>
    public string Token => File.ReadAllText(Path.Combine(DataDir, "admin.token")).Trim();

    /// <summary>A client of the admin listener that shows the token.</summary>
    public HttpClient Admin => _admin ??= AdminClient();

    /// <summary>Lines of standard output and standard error so far.</summary>
    public IReadOnlyList<string> Out => [.. _out];

    public IReadOnlyList<string> Error => [.. _error];

    /// <summary>The JSON lines of the access log on standard output.</summary>
    public IReadOnlyList<JsonElement> AccessLog => [.. _out.Where(l => l.StartsWith('{')).Select(l => JsonDocument.Parse(l).RootElement)];

    /// <summary>Resident memory in bytes.</summary>
    public long Rss => ProcStatus("VmRSS:");

    /// <summary>The most resident memory so far, in bytes.</summary>
    public long PeakRss => ProcStatus("VmHWM:");

    /// <summary>Open file descriptors.</summary>
    public int Descriptors => Directory.GetFileSystemEntries($"/proc/{_process.Id}/fd").Length;

    /// <summary>Starts the gateway with the document (null: with the file that is there) and returns when it is ready. Throws with its output when it is not.</summary>
    public static async Task<GatewayProcess> StartAsync(string? config, GatewayProcessOptions? options = null)
    {
        options ??= new GatewayProcessOptions();
        TempFolder folder = options.Folder ?? new TempFolder();
        string file = config is null ? folder[options.ConfigName] : folder.Write(options.ConfigName, config);
        GatewayProcess gateway = Launch(file, folder, options);
        Task wanted = (options.WaitForReady ? gateway._ready : gateway._hasAdmin).Task;
        Task first = await Task.WhenAny(wanted, gateway._process.WaitForExitAsync(), Task.Delay(options.StartDeadline));
        if (first == wanted) return gateway;
        string why = gateway.HasExited ? $"it ended with {gateway._process.ExitCode}" : "it did not say 'ready' in time";
        if (gateway.HasExited) await gateway._reading;
        string logs = gateway.Logs();
        await gateway.DisposeAsync();
        throw new InvalidOperationException($"the gateway did not start: {why}\n{logs}");
    }

    /// <summary>Waits for the line <c>ready</c>.</summary>
    public Task ReadyAsync() => Eventually.Within("the gateway is ready", _ready.Task);

    /// <summary>Starts <c>bin/gateway</c> with these arguments and waits for its end, for what must not start.</summary>
    public static Task<CommandResult> RunAsync(params string[] arguments) => Command.RunAsync(RequireBuilt(Executable), arguments);

    /// <summary>Runs <c>bin/gatewayctl</c> against this gateway's admin listener.</summary>
    public Task<CommandResult> CtlAsync(params string[] arguments) =>
        Command.RunAsync(RequireBuilt(CtlExecutable), [.. arguments, "--server", AdminAddress.ToString().TrimEnd('/'), "--token-file", Path.Combine(DataDir, "admin.token")]);

    private static GatewayProcess Launch(string file, TempFolder folder, GatewayProcessOptions options)
    {
        var start = new ProcessStartInfo(RequireBuilt(Executable)) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        if (options.IgnoringHangUp)
        {
            start.FileName = "/bin/sh";
            foreach (string argument in (string[])["-c", "trap '' HUP; exec \"$0\" \"$@\"", Executable]) start.ArgumentList.Add(argument);
        }
        foreach (string argument in (string[])["run", .. options.WithoutConfig ? (string[])[] : ["--config", file], "--admin", options.Admin, "--data-dir", folder["data"], .. options.Arguments])
            start.ArgumentList.Add(argument);
        // GATEWAY_TEST_TRANSPORT=sockets runs every test on .NET's sockets that does not itself choose.
        if (Environment.GetEnvironmentVariable("GATEWAY_TEST_TRANSPORT") is { Length: > 0 } transport && !options.Arguments.Contains("--transport"))
        {
            start.ArgumentList.Add("--transport");
            start.ArgumentList.Add(transport);
        }
        foreach ((string name, string value) in options.Environment) start.Environment[name] = value;
        Process process = Process.Start(start)!;
        Running[process.Id] = process;
        return new GatewayProcess(process, folder, options.Folder is null, file);
    }

    private static string RequireBuilt(string executable) =>
        File.Exists(executable) ? executable : throw new FileNotFoundException($"{executable} is not there: run 'make build' first");

    private async Task ReadOutAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            _out.Enqueue(line);
            string[] words = line.Split(' ', 3);
            if (words is ["listening", var name, var address]) _listeners[name] = address.TrimEnd();
            else if (words is ["admin", var at])
            {
                AdminAddress = new Uri(at);
                _ = _hasAdmin.TrySetResult();
            }
            else if (line == "ready") _ = _ready.TrySetResult();
        }
    }

    private async Task ReadErrorAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line) _error.Enqueue(line);
    }

    /// <summary>The address of a listener, with its real port.</summary>
    public Uri Listener(string name = "web") =>
        _listeners.TryGetValue(name, out string? address) ? new Uri(address) : throw new InvalidOperationException($"no line 'listening {name} …'\n{Logs()}");

    /// <summary>Waits for a listener that an apply has added.</summary>
    public async Task<Uri> ListenerEventually(string name)
    {
        await Eventually.Until($"a line 'listening {name}'", () => _listeners.ContainsKey(name));
        return Listener(name);
    }

    /// <summary>A client of the admin listener; without a token when it is the empty string.</summary>
    public HttpClient AdminClient(string? token = null)
    {
        var client = new HttpClient(H2Client.Handler()) { BaseAddress = AdminAddress, Timeout = TimeSpan.FromSeconds(60) };
        token ??= Token;
        if (token.Length > 0) client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    /// <summary>POST /admin/config, whatever the answer.</summary>
    public async Task<AdminAnswer> TryApplyAsync(string config, string? ifMatch = null, string query = "", string mediaType = "application/json")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/config" + query)
        {
            Content = new StringContent(config, Encoding.UTF8, mediaType),
        };
        if (ifMatch is not null) _ = request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        return await SendAsync(request);
    }

    /// <summary>Applies and returns the new version; throws with the errors when it is refused.</summary>
    public async Task<string> ApplyAsync(string config)
    {
        AdminAnswer answer = await TryApplyAsync(config);
        if (answer.Status != HttpStatusCode.OK) throw new InvalidOperationException($"apply: {answer.Status} {answer.Text}\n{Logs()}");
        return answer.Json.GetProperty("version").GetString()!;
    }

    public async Task<AdminAnswer> GetAsync(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        return await SendAsync(request);
    }

    public async Task<AdminAnswer> PostAsync(string path, string json)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
        return await SendAsync(request);
    }

    public async Task<AdminAnswer> DeleteAsync(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, path);
        return await SendAsync(request);
    }

    private async Task<AdminAnswer> SendAsync(HttpRequestMessage request)
    {
        using HttpResponseMessage response = await Admin.SendAsync(request);
        return new AdminAnswer(response.StatusCode, await response.Content.ReadAsStringAsync(), response.Content.Headers.ContentType?.MediaType);
    }

    /// <summary>The samples of GET /metrics.</summary>
    public async Task<MetricSamples> MetricsAsync() => MetricSamples.Parse((await GetAsync("/metrics")).Text);

    /// <summary>Writes the configuration file in place.</summary>
    public void EditConfigFile(string config) => File.WriteAllText(ConfigFile, config);

    public void Signal(PosixSignal signal)
    {
        int number = signal switch
        {
            PosixSignal.SIGHUP => 1,
            PosixSignal.SIGINT => 2,
            PosixSignal.SIGTERM => 15,
            _ => throw new ArgumentOutOfRangeException(nameof(signal)),
        };
        _ = SendSignal(_process.Id, number);
    }

    /// <summary>SIGSTOP: it gets no processor until <see cref="Thaw"/>.</summary>
    public void Freeze() => _ = SendSignal(_process.Id, 19);

    /// <summary>SIGCONT.</summary>
    public void Thaw() => _ = SendSignal(_process.Id, 18);

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        _ = await WaitForExitAsync();
    }

    /// <summary>SIGTERM, and the exit code.</summary>
    public Task<int> StopAsync(TimeSpan? deadline = null)
    {
        Signal(PosixSignal.SIGTERM);
        return WaitForExitAsync(deadline);
    }

    public async Task<int> WaitForExitAsync(TimeSpan? deadline = null)
    {
        try { await Eventually.Within("the gateway's exit", _process.WaitForExitAsync(), deadline ?? TimeSpan.FromSeconds(45)); }
        catch (TimeoutException e) { throw new TimeoutException($"{e.Message}\n{Logs()}"); }
        await _reading;
        return _process.ExitCode;
    }

    /// <summary>What the gateway wrote, its last lines, for the message of a failure.</summary>
    public string Logs()
    {
        static string Last(IReadOnlyCollection<string> lines) => string.Join('\n', lines.Skip(Math.Max(0, lines.Count - 60)));
        return $"--- standard output\n{Last(_out)}\n--- standard error\n{Last(_error)}";
    }

    private long ProcStatus(string field)
    {
        string line = File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith(field, StringComparison.Ordinal));
        return long.Parse(line[field.Length..].Replace("kB", "", StringComparison.Ordinal), System.Globalization.CultureInfo.InvariantCulture) * 1024;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            try { _process.Kill(); }
            catch (InvalidOperationException) { }
            await _process.WaitForExitAsync();
        }
        await _reading;
        _ = Running.TryRemove(_process.Id, out _);
        _process.Dispose();
        _admin?.Dispose();
        if (_ownsFolder) _folder.Dispose();
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int processId, int signal);
}

/// <summary>An answer of the admin API.</summary>
public sealed record AdminAnswer(HttpStatusCode Status, string Text, string? MediaType)
{
    public JsonElement Json => JsonDocument.Parse(Text).RootElement;

    /// <summary>The errors of a refusal as "PATH: CODE".</summary>
    public IReadOnlyList<string> ErrorCodes =>
        [.. Json.GetProperty("errors").EnumerateArray().Select(e => $"{e.GetProperty("path").GetString()}: {e.GetProperty("code").GetString()}")];
}
