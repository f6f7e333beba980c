using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>
/// The short way and Kestrel's, side by side: whatever bytes a client sends, both answer the same statuses, and both upstreams receive the
/// same requests. So it does not matter, and nobody can tell, which way a request has gone. GATEWAY_FUZZ_SECONDS is how long
/// (<c>make fuzz</c>), GATEWAY_FUZZ_SEED repeats a run.
/// </summary>
public sealed partial class DirectAgainstKestrelTests(ITestOutputHelper output)
{
    // Of one pair of gateways, whose origins keep what they received.
    private const int CasesOfAPair = 400;
    private const int LeastCases = 200;

    // A request after which the connection is closed; and for those who take it for part of what was before, more than a head may have.
    private static readonly string Last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + new string('x', 400_000);

    [Fact]
    public async Task WhateverIsSent_BothWaysDoTheSame()
    {
        Assert.SkipUnless(ProxyHost.IsDirect, "the short way is on the event loops alone");
        double seconds = double.Parse(Environment.GetEnvironmentVariable("GATEWAY_FUZZ_SECONDS") ?? "3", CultureInfo.InvariantCulture);
        int seed = Environment.GetEnvironmentVariable("GATEWAY_FUZZ_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : RandomNumberGenerator.GetInt32(int.MaxValue);
        var random = new Random(seed);
        long started = Stopwatch.GetTimestamp();
        int cases = 0, plain = 0;
        while (cases < LeastCases || Stopwatch.GetElapsedTime(started).TotalSeconds < seconds)
        {
            await using RawOrigin nearOrigin = Origin(), farOrigin = Origin();
            await using ProxyHost near = await ProxyHost.StartAsync(nearOrigin.Address), far = await ProxyHost.StartAsync(farOrigin.Address, new ProxyOptions { ShortWay = false });
            for (int i = 0; i < CasesOfAPair && (cases < LeastCases || Stopwatch.GetElapsedTime(started).TotalSeconds < seconds); i++, cases++)
            {
                string sent = Stream(random);
                int before = near.HandedOver;
                string direct = await OutcomeAsync(near, nearOrigin, sent), kestrel = await OutcomeAsync(far, farOrigin, sent);
                if (near.HandedOver == before) plain++;
                Assert.True(direct == kestrel, $"seed {seed}, case {cases}\n--- sent\n{sent}\n--- the short way\n{direct}\n--- Kestrel's\n{kestrel}");
            }
        }
        output.WriteLine($"seed {seed}: {cases} streams of requests, {plain} of which the short way served whole");
        // Otherwise it would be Kestrel beside Kestrel.
        Assert.InRange(plain, cases / 40, cases * 9 / 10);
    }

    private static RawOrigin Origin() => RawOrigin.Start(static async connection =>
    {
        // A connection for each request, so that what was received can be told apart.
        if (await connection.ReadHeadAsync() is not { } head) return;
        await connection.ReadBodyAsync(head);
        await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    });

    /// <summary>What the client was answered, in order, and what the upstream received.</summary>
    private static async Task<string> OutcomeAsync(ProxyHost proxy, RawOrigin origin, string sent)
    {
        int before = origin.ConnectionCount;
        var outcome = new StringBuilder();
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        // Whatever was left open ends here: a head or a body that waits for more, and the connection.
        Task sending = client.SendAsync(sent + Last);
        (WireEnd _, string answers) = await client.ReadEndAsync();
        await Task.WhenAny(sending);
        foreach (Match status in StatusLine().Matches(answers)) outcome.Append(status.Value).Append(' ');
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
        foreach (RawConnection request in origin.Connections.Skip(before))
        {
            string[] parts = request.ReceivedText.Split("\r\n\r\n", 2);
            string[] lines = parts[0].Split("\r\n");
            // Fields of different names may come in any order (RFC 9110 section 5.3), and Kestrel has one of its own.
            outcome.Append('\n').Append(lines[0]);
            foreach (string line in lines[1..].Where(static l => !l.StartsWith("X-Request-Id:", StringComparison.Ordinal)).Select(Known).Order(StringComparer.Ordinal)) outcome.Append('\n').Append(line);
            outcome.Append("\n\n").Append(parts.Length == 2 ? parts[1] : "(cut)");
        }
        // Who names no host is sent on with the upstream's.
        return outcome.ToString().Replace(origin.Address, "upstream", StringComparison.Ordinal);
    }

    // Kestrel writes the names that it knows as they are registered, the short way those that it knows; to an upstream they are the same.
    private static string Known(string line) => FieldName().Replace(line, static name => name.Value.ToLowerInvariant());

    [GeneratedRegex("(?<=^|\n)HTTP/1\\.1 [0-9]{3}")]
    private static partial Regex StatusLine();

    [GeneratedRegex("^[A-Za-z-]+:")]
    private static partial Regex FieldName();

    /// <summary>One to three requests, each nearly well formed, and now and then with bytes that are not.</summary>
    private static string Stream(Random random)
    {
        var text = new StringBuilder();
        for (int left = random.Next(1, 4); left > 0; left--) text.Append(Request(random));
        if (random.Next(3) != 0) return text.ToString();
        int at = random.Next(text.Length);
        switch (random.Next(4))
        {
            case 0: text[at] = Odd(random); break;
            case 1: text.Insert(at, Odd(random)); break;
            case 2: text.Remove(at, 1); break;
            default: text.Length = at; break;
        }
        return text.ToString();
    }

    private static char Odd(Random random) => "\0\t\r\n :;,/?#%\\\"<>[]{}@+-_.0Aa\u007f\u00e9"[random.Next(28)];

    private static string Request(Random random)
    {
        string method = Of(random, "GET", "GET", "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "FOO");
        string target = Of(random, "/", "/a/b?c=d", "/a%20b", "/x?y=%00", "/a/../b", "/%2e%2e/b", "//x", "/a;b=c", "*", "http://other/x", "/a|b", "/ö");
        string version = random.Next(12) == 0 ? Of(random, "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1") : "HTTP/1.1";
        List<string> fields = [random.Next(12) == 0 ? Of(random, "Host: a b", "Host:", "Host: [::1]:80", "Host: a:x", "X: y", "Host: a\r\nHost: b") : Of(random, "Host: a", "Host: a.b:80", "host: A")];
        string body = "";
        if (method is "POST" or "PUT" or "PATCH" or "FOO")
        {
            switch (random.Next(5))
            {
                case 0: (body, _) = ("3\r\nabc\r\n0\r\n\r\n", 0); fields.Add("Transfer-Encoding: chunked"); break;
                case 1: fields.Add("Content-Length: 0"); break;
                case 2: body = "hello"; fields.Add("Content-Length: 5"); break;
                case 3: body = new string('z', 3000); fields.Add("content-length: 3000"); break;
                default: fields.Add(Of(random, "Content-Length: +3", "Content-Length: 1, 1", "Transfer-Encoding: gzip", "Content-Length: x")); break;
            }
        }
        for (int more = random.Next(4); more > 0; more--)
        {
            fields.Insert(random.Next(fields.Count + 1), Of(random, "Accept: */*", "User-Agent: x (y)", "Cookie: a=b; c=d", "X-A: 1", "X-A: 2", "Connection: keep-alive", "Connection: x-a",
                "TE: trailers", "Expect: 100-continue", "X-Long: " + new string('v', 300), "X-Empty:", "X-Tab: a\tb", "X-Spaces:   a  ", "X-Latin: \u00e9", "X Space: 1", "Upgrade: foo", "X-Forwarded-For: 1.2.3.4",
                "X-Content-Length: 7", "Authorization: Basic eA==", "Proxy-Connection: close", "Keep-Alive: 5", "Trailer: X-B"));
        }
        if (random.Next(4) == 0) fields.Add("Connection: close");
        return $"{method} {target} {version}\r\n{string.Join("\r\n", fields)}\r\n\r\n{body}";
    }

    private static string Of(Random random, params string[] choices) => choices[random.Next(choices.Length)];
}
