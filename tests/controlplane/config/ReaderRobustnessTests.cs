using System.Diagnostics;
using System.Text;
using Gateway.Config;
using Gateway.ControlPlane.Documents;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

/// <summary>Whatever the bytes, both readers answer, soon, with a document or with errors, never with an exception.</summary>
public sealed class ReaderRobustnessTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(5);

    private static readonly byte[][] Seeds =
    [
        .. Directory.EnumerateFiles(Golden.Folder("config")).Where(f => !f.EndsWith(".txt", StringComparison.Ordinal) && !f.Contains("too-many", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal).Select(File.ReadAllBytes),
    ];

    private static readonly string[] Pieces =
    [
        "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u", "\\ud800", "null", "true", "-", "0", "1e999", "${env:X}", "${file:\0}", "\n", "\r", "\t", " ", "'", "#", "&a ", "*a", "!!str ",
        "|\n", ">\n", "? ", "- ", "---\n", "...\n", "%YAML 1.2\n", "<<: ", "@", "`", "\u0000", "\uFEFF", "\u2028", "é", "😀", "/*", "//", "name", "\"name\"", "version: v1\n",
    ];

    [Theory]
    [InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public void MutatedDocuments_AreAnsweredSoonAndWithoutException(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 2000; round++) Answered(Mutate(Seeds[random.Next(Seeds.Length)], random), seed, round);
    }

    [Fact]
    public void RandomBytes_AreAnsweredSoonAndWithoutException()
    {
        var random = new Random(5);
        for (int round = 0; round < 2000; round++)
        {
            byte[] bytes = new byte[random.Next(200)];
            random.NextBytes(bytes);
            Answered(bytes, 5, round);
        }
    }

    [Fact]
    public void EveryTruncationOfADocument_IsAnError()
    {
        byte[] whole = Encoding.UTF8.GetBytes(File.ReadAllText(Path.Combine(Golden.Folder("config"), "good-full.json")).TrimEnd());
        for (int length = 0; length < whole.Length; length++)
            Assert.NotEmpty(ConfigReader.ReadJson(whole.AsSpan(0, length)).Errors);
    }

    public static TheoryData<string, string, string> Bombs() => new()
    {
        { "open brackets", new string('[', 3_000_000), "" },
        { "open objects", string.Concat(Enumerable.Repeat("{\"version\":", 300_000)), "" },
        { "unknown fields", "{" + string.Join(",", Enumerable.Range(0, 200_000).Select(i => $"\"f{i}\":1")) + "}", "" },
        { "unknown pools", "{\"version\":\"v1\",\"routes\":[" + string.Join(",", Enumerable.Range(0, 20_000).Select(i => $"{{\"name\":\"r{i}\",\"pool\":\"gone{i}\"}}")) + "],\"pools\":{" + string.Join(",", Enumerable.Range(0, 20_000).Select(i => $"\"pool{i}\":{{\"endpoints\":[]}}")) + "}}", "" },
        { "a long name", "{\"" + new string('x', 5_000_000) + "\":1}", "" },
        { "a long number", "{\"version\":" + new string('9', 2_000_000) + "}", "" },
        { "log fields", "{\"version\":\"v1\",\"accessLog\":{\"fields\":[" + string.Join(",", Enumerable.Range(0, 100_000).Select(i => $"\"f{i}\"")) + "]}}", "" },
        { "known log fields", "{\"version\":\"v1\",\"accessLog\":{\"fields\":[" + string.Join(",", Enumerable.Repeat("\"sni\"", 100_000)) + "]}}", "" },
        { "a pattern that counts", "{\"version\":\"v1\",\"routes\":[{\"name\":\"a\",\"respond\":{},\"match\":{\"path\":{\"regex\":\"((a{1000}){1000}){1000}\"}}}]}", "" },
        { "a pattern that nests", "{\"version\":\"v1\",\"routes\":[{\"name\":\"a\",\"respond\":{},\"match\":{\"path\":{\"regex\":\"" + new string('(', 2000) + new string(')', 2000) + "\"}}}]}", "" },
        { "YAML flow brackets", "", "x: " + new string('[', 200_000) },
        { "YAML block keys", "", string.Concat(Enumerable.Range(0, 2000).Select(i => new string(' ', i) + "a:\n")) },
        { "YAML complex keys", "", string.Concat(Enumerable.Repeat("? ", 50_000)) },
        { "YAML lists of lists", "", string.Concat(Enumerable.Repeat("- ", 50_000)) },
        { "YAML anchors", "", string.Concat(Enumerable.Range(0, 20_000).Select(i => $"a{i}: &a{i} x\n")) },
        { "YAML nested anchors", "", "a: &a0 [" + string.Concat(Enumerable.Range(1, 25).Select(i => $"&a{i} [")) },
        { "YAML quotes", "", "x: " + string.Concat(Enumerable.Repeat("'", 100_001)) },
    };

    [Theory]
    [MemberData(nameof(Bombs))]
    public void HostileDocument_IsAnErrorSoon(string what, string json, string yaml)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json.Length > 0 ? json : yaml);
        long started = Stopwatch.GetTimestamp();
        ReadResult result = json.Length > 0 ? ConfigReader.ReadJson(bytes) : YamlReader.Read(bytes, new ReadOptions());

        Assert.True(result.Errors.Count > 0 || what == "a pattern that nests", what);
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Soon);
    }

    private static void Answered(byte[] bytes, int seed, int round)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            foreach (ReadResult result in (ReadOnlySpan<ReadResult>)[ConfigReader.ReadJson(bytes), YamlReader.Read(bytes, new ReadOptions())])
            {
                Assert.Equal(result.Config is null, result.Errors.Count > 0);
                Assert.All(result.Errors, e => Assert.NotEmpty(e.Message));
                if (result.Config is { } config) Assert.Equal(64, CanonicalConfig.Version(config).Length);
            }
        }
        catch (Exception e) when (e is not Xunit.Sdk.IAssertionException)
        {
            Assert.Fail($"seed {seed}, round {round}: {e}\n{Convert.ToBase64String(bytes)}");
        }
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Soon);
    }

    private static byte[] Mutate(byte[] seed, Random random)
    {
        var bytes = new List<byte>(seed);
        for (int change = random.Next(1, 6); change > 0; change--)
        {
            int at = random.Next(bytes.Count + 1);
            int length = Math.Min(random.Next(1, 30), bytes.Count - at);
            switch (random.Next(5))
            {
                case 0: bytes.RemoveRange(at, length); break;
                case 1: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
                case 2: bytes.InsertRange(at, Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)])); break;
                case 3 when at < bytes.Count: bytes[at] = (byte)random.Next(256); break;
                default:
                    byte[] other = Seeds[random.Next(Seeds.Length)];
                    int from = random.Next(other.Length + 1);
                    bytes.InsertRange(at, other.AsSpan(from, Math.Min(random.Next(60), other.Length - from)).ToArray());
                    break;
            }
        }
        return [.. bytes];
    }
}
