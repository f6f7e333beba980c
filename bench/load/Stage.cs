using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.Bench.Load;

/// <summary>What is around the contestants: a folder, a certificate, the origins, a place for logs.</summary>
internal sealed class Stage : IDisposable
{
    private static readonly (string Tool, string Package)[] Needed =
        [("wrk", "wrk"), ("nginx", "nginx"), ("haproxy", "haproxy"), ("h2load", "nghttp2-client"), ("taskset", "util-linux")];

    private readonly Process _origin;
    private readonly Process _slow;
    private readonly Process _grpc;
    private readonly Syslog _syslog;

    private Stage(string folder, bool everywhere)
    {
        Folder = folder;
        WriteCertificate(folder);
        Contestants = new Contestants(folder, Directory.GetCurrentDirectory());
        _syslog = new Syslog(Contestants.SyslogSocket);
        _origin = Contestants.StartOrigin(everywhere);
        _slow = Contestants.StartSlowOrigin();
        _grpc = Contestants.StartGrpcOrigin();
    }

    public string Folder { get; }

    public Contestants Contestants { get; }

    /// <summary>Lines that haproxy has logged.</summary>
    public long Logged => _syslog.Lines;

    /// <summary>Null when tools are missing, which are then named on standard error.</summary>
    /// <param name="everywhere">The origin may run on any core, not on the load's alone.</param>
    public static async Task<Stage?> SetAsync(bool everywhere = false)
    {
        string[] missing = [.. Needed.Where(n => !OnPath(n.Tool)).Select(n => n.Package)];
        if (missing.Length > 0)
        {
            Console.Error.WriteLine($"bench-load needs tools that are not here: apt-get install {string.Join(' ', missing)}");
            return null;
        }
        var stage = new Stage(Directory.CreateTempSubdirectory("gateway-bench-").FullName, everywhere);
        try
        {
            await WaitForAsync(Contestants.OriginPort);
            await WaitForAsync(Contestants.SlowPort);
            await WaitForAsync(Contestants.GrpcPort);
            return stage;
        }
        catch
        {
            stage.Dispose();
            throw;
        }
    }

    /// <summary>Returns when something listens there.</summary>
    public static async Task WaitForAsync(int port)
    {
        for (int i = 0; i < 2000; i++)
        {
            try
            {
                using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync("127.0.0.1", port);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(5);
            }
        }
        throw new InvalidOperationException($"nothing listens on port {port} after 10 seconds");
    }

    public void Dispose()
    {
        foreach (Process helper in (Process[])[_origin, _slow, _grpc])
        {
            if (!helper.HasExited) helper.Kill(entireProcessTree: true);
            helper.Dispose();
        }
        _syslog.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private static bool OnPath(string tool) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Any(folder => File.Exists(Path.Combine(folder, tool)));

    private static void WriteCertificate(string folder)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=bench", key, HashAlgorithmName.SHA256);
        using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        File.WriteAllText(Path.Combine(folder, "cert.pem"), certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(Path.Combine(folder, "key.pem"), key.ExportPkcs8PrivateKeyPem() + "\n");
    }
}
