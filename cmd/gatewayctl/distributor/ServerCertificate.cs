using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.Ctl.Distributor;

/// <summary>The distributor's certificate, read again when its files change; while they are broken the last good one is used. Thread safe.</summary>
internal sealed class ServerCertificate
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(10);
    private readonly Lock _gate = new();
    private readonly string _certFile, _keyFile;
    private readonly TimeProvider _time;
    private readonly Action<string> _log;
    private SslStreamCertificateContext _context;
    private (DateTime, DateTime) _stamp;
    private long _looked;

    /// <exception cref="UserException">The files cannot be read.</exception>
    public ServerCertificate(string certFile, string keyFile, TimeProvider time, Action<string> log)
    {
        (_certFile, _keyFile, _time, _log) = (certFile, keyFile, time, log);
        _stamp = Stamp();
        _looked = time.GetTimestamp();
        try
        {
            _context = Read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new UserException($"cannot read --tls-cert {certFile} with --tls-key {keyFile}: {e.Message}");
        }
    }

    public SslStreamCertificateContext Current
    {
        get
        {
            lock (_gate)
            {
                if (_time.GetElapsedTime(_looked) >= LookInterval) Look_NeedsLock();
                return _context;
            }
        }
    }

    private void Look_NeedsLock()
    {
        _looked = _time.GetTimestamp();
        (DateTime, DateTime) stamp = Stamp();
        if (stamp == _stamp) return;
        _stamp = stamp;
        try
        {
            _context = Read();
            _log($"the certificate in {_certFile} has changed and is used from now on");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            _log($"cannot read {_certFile} with {_keyFile}, the certificate read before stays in use: {e.Message}");
        }
    }

    private (DateTime, DateTime) Stamp() => (File.GetLastWriteTimeUtc(_certFile), File.GetLastWriteTimeUtc(_keyFile));

    private SslStreamCertificateContext Read()
    {
        X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(_certFile, _keyFile);
        X509Certificate2Collection chain = [];
        chain.ImportFromPemFile(_certFile);
        chain.RemoveAt(0);
        return SslStreamCertificateContext.Create(certificate, chain, offline: true);
    }
}
