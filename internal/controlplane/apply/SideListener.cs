using Gateway.Config;

namespace Gateway.ControlPlane.Apply;

/// <summary>
/// The listener that <c>metrics.listener</c> asks for: a part of the configuration that the control plane itself serves. It changes with an
/// apply as the data plane's listeners do: bound before the publish, so that a failure rejects the apply, and the old one closed after it.
/// Used by the apply queue alone.
/// </summary>
/// <param name="start">Binds and serves the address; throws <see cref="IOException"/> or <see cref="FormatException"/> when that cannot be.</param>
public sealed class SideListener(Func<string, Task<IAsyncDisposable>> start) : IAsyncDisposable
{
    private string? _address;
    private IAsyncDisposable? _server;

    internal sealed record Change(string? Address, IAsyncDisposable? Server);

    /// <summary>Null for both when nothing changes.</summary>
    internal async Task<(Change? Change, ConfigError? Error)> PrepareAsync(string? address)
    {
        if (address == _address) return (null, null);
        if (address is null) return (new Change(null, null), null);
        try
        {
            return (new Change(address, await start(address)), null);
        }
        catch (Exception e) when (e is IOException or FormatException)
        {
            return (null, new ConfigError("metrics.listener", ConfigErrorCodes.BindFailed, $"cannot listen on '{address}': {e.Message}. Choose a free address of this machine."));
        }
    }

    internal async Task CommitAsync(Change? change)
    {
        if (change is null) return;
        IAsyncDisposable? old = _server;
        (_address, _server) = (change.Address, change.Server);
        if (old is not null) await old.DisposeAsync();
    }

    internal static async Task AbandonAsync(Change? change)
    {
        if (change?.Server is not null) await change.Server.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }
}
