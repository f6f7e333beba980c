using System.Security.Cryptography.X509Certificates;
using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.TlsStore;

/// <summary>A certificate across snapshots: follows its files, and keeps what it has when they are broken. Read by handshakes, written by the watcher.</summary>
internal sealed class CertificateState(string name, CertificateKey key, LoadedCertificate loaded) : SharedState
{
    /// <summary>How long session tickets can be used at most; half a day keeps what a stolen ticket key opens small (RFC 5077 section 5.5 asks for rotation).</summary>
    private static readonly TimeSpan TicketLife = TimeSpan.FromHours(12);

    private LoadedCertificate _current = loaded;
    private byte[]? _refused;

    /// <summary>As the first document that named it did.</summary>
    public string Name { get; } = name;

    public CertificateKey Key { get; } = key;

    public LoadedCertificate Current => Volatile.Read(ref _current);

    /// <summary>Why the files as they are now were not taken; null when they were.</summary>
    public string? Broken { get; private set; }

    /// <summary>Takes new files over. True: there is another certificate than before. A broken pair is reported once, not at each look.</summary>
    public bool Refresh(DateTimeOffset now, ILogger logger, Action onRefused)
    {
        LoadedCertificate current = Current;
        byte[]? hash = CertificateFiles.TryHash(Key);
        if (hash is not null && hash.AsSpan().SequenceEqual(current.ContentHash))
        {
            Broken = null;
            _refused = null;
            if (now - current.LoadedAt > TicketLife) Volatile.Write(ref _current, current.WithNewTicketKeys([.. current.Context.IntermediateCertificates], now));
            return false;
        }
        // Not readable at all may be the middle of a swap: judged like broken content, once.
        byte[] seen = hash ?? [];
        if (_refused is not null && seen.AsSpan().SequenceEqual(_refused)) return false;

        if (CertificateFiles.TryLoad(Key, now, out LoadedCertificate? next, out CertificateFiles.Failure failure))
        {
            Volatile.Write(ref _current, next);
            Broken = null;
            _refused = null;
            TlsLog.CertificateSwapped(logger, Name, next.NotAfter);
            return true;
        }
        _refused = seen;
        Broken = failure.Message;
        TlsLog.CertificateRefused(logger, Name, failure.Message);
        onRefused();
        return false;
    }
}
