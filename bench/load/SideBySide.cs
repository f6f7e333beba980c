using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.Bench.Load;

/// <summary>
/// Runs every scenario against every contestant in turn, several rounds, in one go on one machine: the speed of a shared machine drifts, so
/// only what ran side by side is compared, and as CPU time per request rather than throughput.
/// </summary>
internal static class SideBySide
{
    private static readonly (string Tool, string Package)[] Needed =
        [("wrk", "wrk"), ("nginx", "nginx"), ("haproxy", "haproxy"), ("h2load", "nghttp2-client"), ("taskset", "util-linux")];

    public static async Task<int> RunAsync(string[] args)
    {
        int seconds = Option(args, "--seconds", 5), rounds = Option(args, "--rounds", 3), warmup = Option(args, "--warmup", 3);
        string only = args.SkipWhile(a => a != "--only").Skip(1).FirstOrDefault() ?? "";
        string? output = args.SkipWhile(a => a != "--output").Skip(1).FirstOrDefault();
        string[] missing = [.. Needed.Where(n => !OnPath(n.Tool)).Select(n => n.Package)];
        if (missing.Length > 0)
        {
            Console.Error.WriteLine($"bench-load needs tools that are not here: apt-get install {string.Join(' ', missing)}");
            return 1;
        }

        string folder = Directory.CreateTempSubdirectory("gateway-bench-").FullName;
        WriteCertificate(folder);
        var contestants = new Contestants(folder, Directory.GetCurrentDirectory());
        var all = new List<Contestant> { contestants.Gateway(), contestants.Nginx(), contestants.HaProxy(), contestants.Yarp() };
        using Process origin = contestants.StartOrigin();
        using Process slow = Contestants.StartSlowOrigin();
        var rows = new List<Row>();
        try
        {
            await WaitForAsync(Contestants.OriginPort);
            await WaitForAsync(Contestants.SlowPort);
            foreach (Contestant contestant in all)
            {
                contestant.Start();
                await WaitForAsync(contestant.BasePort);
            }
            // Until steady: a .NET contestant compiles its code anew for tens of thousands of requests, and would look twice as slow until then.
            foreach (Contestant contestant in all) await Measurement.RunAsync(Scenario.All[0], contestant, 0, 5 * warmup);
            foreach (Scenario scenario in Scenario.All.Where(s => s.Name.Contains(only, StringComparison.OrdinalIgnoreCase)))
            {
                Contestant[] able = [.. all.Where(c => !(scenario.Slow && c.Name == "plain YARP"))];
                foreach (Contestant contestant in able) await Measurement.RunAsync(scenario, contestant, 0, warmup);
                for (int round = 1; round <= rounds; round++)
                {
                    foreach (Contestant contestant in able)
                    {
                        Row row = await Measurement.RunAsync(scenario, contestant, round, seconds);
                        rows.Add(row);
                        Console.Error.WriteLine($"{row.Scenario,-42} {row.Contestant,-11} {row.CpuMicros,7:F1} us/req ({row.UserMicros:F1}/{row.SystemMicros:F1}) {row.PerSecond,8:F0}/s p99 {row.P99Ms:F2} ms errors {row.Errors}");
                    }
                }
            }
        }
        finally
        {
            foreach (Contestant contestant in all) contestant.Dispose();
            foreach (Process helper in (Process[])[origin, slow])
            {
                if (!helper.HasExited) helper.Kill(entireProcessTree: true);
            }
            Directory.Delete(folder, recursive: true);
        }
        string report = Report.Write(rows, all, seconds, rounds);
        if (output is null) Console.WriteLine(report);
        else File.WriteAllText(output, report);
        return 0;
    }

    private static int Option(string[] args, string name, int otherwise) =>
        args.SkipWhile(a => a != name).Skip(1).FirstOrDefault() is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    private static bool OnPath(string tool) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Any(folder => File.Exists(Path.Combine(folder, tool)));

    private static async Task WaitForAsync(int port)
    {
        for (int i = 0; i < 200; i++)
        {
            try
            {
                using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync("127.0.0.1", port);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(50);
            }
        }
        throw new InvalidOperationException($"nothing listens on port {port} after 10 seconds");
    }

    private static void WriteCertificate(string folder)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=bench", key, HashAlgorithmName.SHA256);
        using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        File.WriteAllText(Path.Combine(folder, "cert.pem"), certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(Path.Combine(folder, "key.pem"), key.ExportPkcs8PrivateKeyPem() + "\n");
    }
}
