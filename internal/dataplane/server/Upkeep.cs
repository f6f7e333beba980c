using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.TlsStore;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>What must be looked at now and then: files of certificates and authorities, states that have come out of use.</summary>
/// <remarks>
/// Files are compared by content once a second: a watcher misses what happens behind symbolic links (a Kubernetes mount swaps the link of
/// a folder) and on network file systems, and a second is soon enough for a certificate.
/// </remarks>
internal sealed class Upkeep(SnapshotStore store, StateRegistry registry, GatewayMetrics metrics, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ExpiryLogInterval = TimeSpan.FromDays(1);

    private readonly CancellationTokenSource _stop = new();
    private readonly MetricFamily _reloads = metrics.Counter(
        "certificate_reloads_total", "Changes of certificate and authority files, by whether they were taken over.", "result");
    private readonly Dictionary<string, DateTimeOffset> _warned = [];
    private Task? _running;

    /// <summary>Begins; a second call does nothing. To be called by the apply queue.</summary>
    public void Start()
    {
        if (_running is not null) return;
        metrics.ObserveGauge(
            "certificate_not_after_timestamp_seconds", "When a certificate in use expires.", ["certificate"], Expiries);
        _running = RunAsync();
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        if (_running is not null) await _running;
    }

    /// <summary>One look at everything.</summary>
    internal void Look()
    {
        registry.Sweep();
        // A second is a small step of what takes many, and a rebuild costs no request anything.
        Serving? serving = store.Serving;
        foreach (PoolModel pool in (serving?.Live.Pools ?? []).Concat(serving?.Canary?.Candidate.Pools ?? []))
        {
            if (pool.Current.IsRamping) pool.State.EndpointsChanged("slow start");
        }
        HashSet<CertificateState> seen = [];
        foreach (ServerTls tls in InUse())
        {
            foreach (CertificateState certificate in tls.Certificates)
            {
                if (!seen.Add(certificate)) continue;
                if (certificate.Refresh(time.GetUtcNow(), logger, CountRefused)) _reloads.Add(1, "swapped");
                WarnOfExpiry(certificate);
            }
            tls.RefreshAuthorities(logger, CountRefused);
        }
    }

    private async Task RunAsync()
    {
        using PeriodicTimer timer = new(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                try
                {
                    Look();
                }
                catch (Exception failure)
                {
                    ServerLog.UpkeepFailed(logger, failure);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private void CountRefused() => _reloads.Add(1, "refused");

    private void WarnOfExpiry(CertificateState certificate)
    {
        DateTimeOffset now = time.GetUtcNow(), notAfter = certificate.Current.NotAfter;
        if (notAfter - now >= CertificateCompiler.ExpiryWarning) return;
        if (_warned.TryGetValue(certificate.Name, out DateTimeOffset last) && now - last < ExpiryLogInterval) return;
        _warned[certificate.Name] = now;
        TlsLog.CertificateExpires(logger, certificate.Name, notAfter);
    }

    private void Expiries(GaugeReadings readings)
    {
        HashSet<string> named = [];
        foreach (ServerTls tls in InUse())
        {
            foreach (CertificateState certificate in tls.Certificates)
            {
                if (named.Add(certificate.Name)) readings.Add(certificate.Current.NotAfter.ToUnixTimeSeconds(), certificate.Name);
            }
        }
    }

    private IEnumerable<ServerTls> InUse()
    {
        foreach (ListenerModel listener in store.Current?.Listeners ?? [])
        {
            if (listener.Tls is ServerTls tls) yield return tls;
        }
    }
}
