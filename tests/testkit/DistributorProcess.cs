using System.Collections.Concurrent;
using System.Diagnostics;

namespace Gateway.TestKit;

/// <summary>The built executable <c>bin/gatewayctl distributor</c> on a port of its own. It says <c>listening URL</c> on its standard output.</summary>
public sealed class DistributorProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _log = new();
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _reading;

    private DistributorProcess(Process process, string folder)
    {
        _process = process;
        Dir = folder;
        _reading = Task.WhenAll(ReadOutAsync(), ReadErrorAsync());
    }

    /// <summary>The folder that it serves.</summary>
    public string Dir { get; }

    public Uri Address { get; private set; } = new("http://127.0.0.1:1");

    /// <summary>Lines of standard error so far.</summary>
    public IReadOnlyList<string> Log => [.. _log];

    /// <param name="listen">Its address; port 0 for any that is free.</param>
    public static async Task<DistributorProcess> StartAsync(string folder, string listen = "127.0.0.1:0", params string[] arguments)
    {
        _ = Directory.CreateDirectory(folder);
        var start = new ProcessStartInfo(GatewayProcess.CtlExecutable) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string argument in (string[])["distributor", "--dir", folder, "--listen", listen, .. arguments]) start.ArgumentList.Add(argument);
        var distributor = new DistributorProcess(Process.Start(start)!, folder);
        try
        {
            distributor.Address = await Eventually.Within($"the distributor listens (it says: {string.Join('\n', distributor.Log)})", distributor._listening.Task);
            return distributor;
        }
        catch
        {
            await distributor.DisposeAsync();
            throw;
        }
    }

    /// <summary>A client that shows the token, if there is one.</summary>
    public HttpClient Client(string? token = null)
    {
        var client = new HttpClient(H2Client.Handler()) { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(60) };
        if (token is not null) client.DefaultRequestHeaders.Authorization = new System.Net.Http.Headers.AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    /// <summary>SIGKILL.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            try { _process.Kill(); }
            catch (InvalidOperationException) { }
            await _process.WaitForExitAsync();
        }
        await _reading;
        _process.Dispose();
    }

    private async Task ReadOutAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
            if (line.StartsWith("listening ", StringComparison.Ordinal)) _ = _listening.TrySetResult(new Uri(line["listening ".Length..]));
    }

    private async Task ReadErrorAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is { } line) _log.Enqueue(line);
    }
}
