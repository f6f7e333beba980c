using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Xunit;

namespace Gateway.Core.Tests.Http1;

/// <summary>
/// The codec against <see cref="ReferenceReader"/>, and against itself with the same bytes cut elsewhere. GATEWAY_FUZZ_SECONDS is how long
/// (<c>make fuzz</c>), GATEWAY_FUZZ_SEED repeats a run.
/// </summary>
public sealed class ResponseFuzzTests(ITestOutputHelper output)
{
    private const int MaxFields = 16;

    public static TheoryData<string> Names => [.. ResponseCorpus.All.Select(static c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void AKnownResponse_IsReadAsItShouldWhereverItIsCut(string name)
    {
        (_, string text, ReadState state) = ResponseCorpus.All.Single(c => c.Name == name);
        byte[] bytes = ResponseCorpus.Bytes(text);
        ReadResponse whole = CodecReader.Read(bytes, [], false, false, MaxFields);
        Assert.Equal(state, whole.State);
        Check(bytes, [], false, false);
        for (int cut = 1; cut < bytes.Length; cut++) Check(bytes, [cut], false, false);
        Check(bytes, Enumerable.Range(1, bytes.Length - 1), false, false);
        // No byte more makes good what was refused, and none changes what has ended.
        ReadState seen = ReadState.Open;
        for (int n = 0; n <= bytes.Length; n++)
        {
            ReadState now = CodecReader.Read(bytes[..n], [], false, false, MaxFields).State;
            if (seen != ReadState.Open) Assert.Equal((name, n, seen), (name, n, now));
            seen = now;
        }
    }

    [Fact]
    public void RandomMutatedAndCutResponses_AreReadAsTheReferenceReadsThem()
    {
        double seconds = double.Parse(Environment.GetEnvironmentVariable("GATEWAY_FUZZ_SECONDS") ?? "5", CultureInfo.InvariantCulture);
        int seed = Environment.GetEnvironmentVariable("GATEWAY_FUZZ_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : RandomNumberGenerator.GetInt32(int.MaxValue);
        var random = new Random(seed);
        long started = Stopwatch.GetTimestamp();
        int cases = 0, ended = 0, malformed = 0;
        for (; Stopwatch.GetElapsedTime(started).TotalSeconds < seconds; cases++)
        {
            byte[] bytes = Generate(random);
            int[] cuts = [.. Enumerable.Range(0, random.Next(6)).Select(_ => random.Next(bytes.Length + 1)).Order()];
            try
            {
                ReadState state = Check(bytes, cuts, toHead: random.Next(8) == 0, toConnect: random.Next(16) == 0);
                if (state == ReadState.Ended) ended++;
                if (state == ReadState.Malformed) malformed++;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}, case {cases}, cuts {string.Join(' ', cuts)}: {Escaped(bytes)}", e);
            }
        }
        output.WriteLine($"seed {seed}: {cases} responses, {ended} whole, {malformed} malformed");
        // All kinds came up, or the generator has gone dull.
        Assert.True(cases < 1000 || (ended > cases / 50 && malformed > cases / 50), $"seed {seed}: of {cases} only {ended} whole, {malformed} malformed");
    }

    private static ReadState Check(byte[] bytes, IEnumerable<int> cuts, bool toHead, bool toConnect)
    {
        ReadResponse whole = CodecReader.Read(bytes, [], toHead, toConnect, MaxFields);
        ReadResponse cut = CodecReader.Read(bytes, cuts, toHead, toConnect, MaxFields);
        Assert.Equal(whole, cut);
        var reference = new ReferenceReader(toHead, toConnect, MaxFields);
        ReadResponse expected = reference.Read(Encoding.Latin1.GetString(bytes));
        // Where a line has not ended, the codec may know already that it will be malformed.
        if (reference.Undecided && whole.State == ReadState.Malformed) expected = expected with { State = ReadState.Malformed };
        Assert.Equal(expected, whole);
        return whole.State;
    }

    private static readonly string[] Lines =
    [
        "Content-Length: 5", "Content-Length: 0", "content-length:12", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Connection: close",
        "Connection: keep-alive, X-Hop", "X-Hop: 1", "Upgrade: h2c", "TE: trailers", "Trailer: X", "Empty:", "Date: Fri, 20 Nov 2026 10:00:00 GMT",
        "Set-Cookie: a=b; Path=/", "X: \u00e9\t\u00ff", " folded", "Bad Name: x", "Content-Length: 5, 5", "Keep-Alive: timeout=5", "Proxy-Connection: close",
    ];

    private static readonly byte[] Alphabet = "HTP/1.0 2\r\n\r\n:;,aFf \t0\0\u007f-+Content-Length: Transfer-Encoding: chunked\r\n"u8.ToArray();

    private static byte[] Generate(Random random)
    {
        List<byte> bytes = [.. ResponseCorpus.Bytes(random.Next(10) switch
        {
            0 => "",
            < 4 => ResponseCorpus.All[random.Next(ResponseCorpus.All.Length)].Text,
            _ => Composed(random),
        })];
        for (int m = random.Next(3) == 0 ? random.Next(1, 5) : 0; m > 0; m--) Mutate(random, bytes);
        if (bytes.Count == 0) for (int i = random.Next(40); i > 0; i--) bytes.Add(Alphabet[random.Next(Alphabet.Length)]);
        return [.. bytes];
    }

    private static string Composed(Random random)
    {
        int[] statuses = [200, 200, 200, 204, 304, 101, 100, 103, 404, 599];
        var text = new StringBuilder($"HTTP/1.{(random.Next(6) == 0 ? 0 : 1)} {statuses[random.Next(statuses.Length)]} OK\r\n");
        bool chunked = random.Next(2) == 0;
        if (chunked) text.Append("Transfer-Encoding: chunked\r\n");
        for (int i = random.Next(4); i > 0; i--) text.Append(Lines[random.Next(Lines.Length)]).Append("\r\n");
        text.Append("\r\n");
        if (!chunked) return text.Append('b', random.Next(14)).ToString();
        for (int i = random.Next(4); i > 0; i--)
        {
            int size = random.Next(1, 40);
            text.Append(CultureInfo.InvariantCulture, $"{size:x}{(random.Next(4) == 0 ? ";x=\"y\"" : "")}\r\n").Append('c', size).Append("\r\n");
        }
        text.Append("0\r\n");
        for (int i = random.Next(3); i > 0; i--) text.Append(Lines[random.Next(Lines.Length)]).Append("\r\n");
        return text.Append("\r\nHTTP/1.1 200 OK\r\n").ToString();
    }

    private static void Mutate(Random random, List<byte> bytes)
    {
        int at = random.Next(bytes.Count + 1);
        switch (random.Next(6))
        {
            case 0 when at < bytes.Count: bytes[at] = (byte)random.Next(256); break;
            case 1 when at < bytes.Count: bytes[at] = Alphabet[random.Next(Alphabet.Length)]; break;
            case 2 when at < bytes.Count: bytes.RemoveRange(at, Math.Min(bytes.Count - at, random.Next(1, 8))); break;
            case 3: bytes.Insert(at, Alphabet[random.Next(Alphabet.Length)]); break;
            case 4: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(bytes.Count - at, random.Next(1, 40)))); break;
            default: bytes.RemoveRange(at, bytes.Count - at); break;
        }
    }

    private static string Escaped(byte[] bytes) =>
        string.Concat(bytes.Select(static b => b is >= 0x20 and < 0x7f and not (byte)'\\' ? ((char)b).ToString() : $"\\x{b:x2}"));
}
