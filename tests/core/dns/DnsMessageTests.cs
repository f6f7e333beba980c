using System.Net;
using System.Text;
using Gateway.Core.Dns;

namespace Gateway.Core.Tests.Dns;

/// <summary>Questions and answers byte by byte, and answers that nobody should send.</summary>
public sealed class DnsMessageTests
{
    private const ushort Id = 0x1234;
    private const string Shop = "04 shop 04 test 00";

    // Bytes in hexadecimal, and words as they are.
    private static byte[] Bytes(string text)
    {
        List<byte> bytes = [];
        foreach (string part in text.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (part.Length == 2 && part.All(char.IsAsciiHexDigit)) bytes.Add(Convert.ToByte(part, 16));
            else if (part.Length > 2 && part.All(char.IsAsciiHexDigit) && part.Length % 2 == 0 && part.Any(char.IsAsciiDigit)) bytes.AddRange(Convert.FromHexString(part));
            else bytes.AddRange(Encoding.ASCII.GetBytes(part));
        }
        return [.. bytes];
    }

    private static byte[] Response(string question, string answers, int count, string added = "", int addedCount = 0, string flags = "81 80") =>
        Bytes($"12 34 {flags} 00 01 00 {count:x2} 00 00 00 {addedCount:x2} {question} {answers} {added}");

    private static DnsStatus Parse(byte[] message, DnsType type, out DnsAnswer answer, string name = "shop.test") => DnsResponse.Parse(message, Id, name, type, out answer);

    [Fact]
    public void AQuestion_IsWrittenAsRfc1035Says()
    {
        byte[] buffer = new byte[DnsQuery.MaxLength];
        Array.Fill(buffer, (byte)0xee);
        int length = DnsQuery.Write(buffer, Id, "shop.test.", DnsType.Srv);
        Assert.Equal(Bytes($"12 34 01 00 00 01 00 00 00 00 00 00 {Shop} 00 21 00 01"), buffer[..length]);
    }

    [Fact]
    public void NamesThatCannotBeAskedFor_AreNotWritten()
    {
        byte[] buffer = new byte[DnsQuery.MaxLength];
        string label = new('a', 63);
        foreach (string name in new[] { "", ".", "a..b", ".a", label + "a.b", $"{label}.{label}.{label}.{label}", "ä.test" }) Assert.Equal(0, DnsQuery.Write(buffer, Id, name, DnsType.A));
        Assert.Equal(DnsQuery.MaxLength, DnsQuery.Write(buffer, Id, $"{label}.{label}.{label}.{label[..61]}", DnsType.A));
    }

    [Fact]
    public void Addresses_AreRead_WithTheLeastTtl()
    {
        byte[] message = Response($"{Shop} 00 01 00 01", "c0 0c 00 01 00 01 00 00 00 3c 00 04 0a 00 00 01  c0 0c 00 01 00 01 00 00 00 05 00 04 0a 00 00 02", 2);
        Assert.Equal(DnsStatus.Answer, Parse(message, DnsType.A, out DnsAnswer answer, "Shop.TEST."));
        Assert.Equal(["10.0.0.1", "10.0.0.2"], answer.Addresses.Select(static a => a.ToString()));
        Assert.Equal(TimeSpan.FromSeconds(5), answer.Ttl);
    }

    [Fact]
    public void AnAlias_IsFollowed_AndItsTtlCounts_AndStrangersAreNotTakenAlong()
    {
        // shop.test is an alias of a.test, which has an address; b.test has one that was not asked for.
        byte[] message = Response($"{Shop} 00 1c 00 01",
            "c0 0c 00 05 00 01 00 00 00 02 00 04 01 61 c0 11  01 61 c0 11 00 1c 00 01 00 00 00 3c 00 10 fd000000000000000000000000000001" +
            " 01 62 c0 11 00 1c 00 01 00 00 00 01 00 10 fd000000000000000000000000000002", 3);
        Assert.Equal(DnsStatus.Answer, Parse(message, DnsType.Aaaa, out DnsAnswer answer));
        Assert.Equal([IPAddress.Parse("fd00::1")], answer.Addresses);
        Assert.Equal(TimeSpan.FromSeconds(2), answer.Ttl);
    }

    [Fact]
    public void Services_AreRead_WithTheAddressesThatCameAlong()
    {
        byte[] message = Response($"{Shop} 00 21 00 01",
            "c0 0c 00 21 00 01 00 00 00 1e 00 0a 00 01 00 05 1f 90 01 61 c0 11", 1,
            "01 61 c0 11 00 01 00 01 00 00 00 1e 00 04 0a 00 00 07", 1);
        Assert.Equal(DnsStatus.Answer, Parse(message, DnsType.Srv, out DnsAnswer answer));
        Assert.Equal([new DnsService(1, 5, 8080, "a.test")], answer.Services);
        Assert.Equal([("a.test", IPAddress.Parse("10.0.0.7"))], answer.Hints);
    }

    [Fact]
    public void AnEmptyAnswer_AndTheCodes_AreToldApart()
    {
        string question = $"{Shop} 00 01 00 01";
        Assert.Equal(DnsStatus.Answer, Parse(Response(question, "", 0), DnsType.A, out DnsAnswer empty));
        Assert.Empty(empty.Addresses);
        Assert.Equal(DnsStatus.NoSuchName, Parse(Response(question, "", 0, flags: "81 83"), DnsType.A, out _));
        Assert.Equal(DnsStatus.Refused, Parse(Response(question, "", 0, flags: "81 82"), DnsType.A, out _));
        Assert.Equal(DnsStatus.Truncated, Parse(Response(question, "", 0, flags: "83 80"), DnsType.A, out _));
    }

    [Fact]
    public void WhatIsNotOurAnswer_IsPassedOver()
    {
        byte[] good = Response($"{Shop} 00 01 00 01", "c0 0c 00 01 00 01 00 00 00 3c 00 04 0a 00 00 01", 1);
        Assert.Equal(DnsStatus.Answer, Parse(good, DnsType.A, out _));
        Assert.Equal(DnsStatus.NotTheAnswer, DnsResponse.Parse(good, Id + 1, "shop.test", DnsType.A, out _));
        Assert.Equal(DnsStatus.NotTheAnswer, Parse(good, DnsType.Aaaa, out _));
        Assert.Equal(DnsStatus.NotTheAnswer, Parse(good, DnsType.A, out _, "shop.tess"));
        Assert.Equal(DnsStatus.NotTheAnswer, Parse(Response($"{Shop} 00 01 00 01", "", 0, flags: "01 00"), DnsType.A, out _));
        Assert.Equal(DnsStatus.NotTheAnswer, Parse(good[..11], DnsType.A, out _));
    }

    [Theory]
    [InlineData("c0 0c 00 01 00 01 00 00 00 3c 00 05 0a 00 00 01 01")]
    [InlineData("c0 0c 00 01 00 01 00 00 00 3c 00 03 0a 00 00")]
    [InlineData("c0 0c 00 01 00 01 00 00 00 3c 00 04 0a 00 00")]
    [InlineData("c0 0c 00 01 00 01 00 00 00")]
    // A name that points at itself, one that points forwards, and one with a label that no name has.
    [InlineData("c0 1b 00 01 00 01 00 00 00 3c 00 04 0a 00 00 01")]
    [InlineData("c0 40 00 01 00 01 00 00 00 3c 00 04 0a 00 00 01")]
    [InlineData("41 61 00 00 01 00 01 00 00 00 3c 00 04 0a 00 00 01")]
    [InlineData("02 61 20 00 00 01 00 01 00 00 00 3c 00 04 0a 00 00 01")]
    // An alias longer and shorter than it says, and a service without a target.
    [InlineData("c0 0c 00 05 00 01 00 00 00 02 00 05 01 61 c0 11 00")]
    [InlineData("c0 0c 00 05 00 01 00 00 00 02 00 03 01 61 c0 11")]
    [InlineData("c0 0c 00 21 00 01 00 00 00 02 00 06 00 01 00 01 00 50")]
    public void ABrokenAnswer_IsRefused(string answer) => Assert.Equal(DnsStatus.Malformed, Parse(Response($"{Shop} 00 01 00 01", answer, 1), DnsType.A, out _));

    [Fact]
    public void AliasesThatGoRound_EndSomewhere()
    {
        byte[] message = Response($"{Shop} 00 01 00 01", "c0 0c 00 05 00 01 00 00 00 02 00 02 c0 0c", 1);
        Assert.Equal(DnsStatus.Answer, Parse(message, DnsType.A, out DnsAnswer answer));
        Assert.Empty(answer.Addresses);
    }

    [Fact]
    public void MutatedAndRandomMessages_NeitherThrowNorTakeLong()
    {
        byte[][] seeds =
        [
            Response($"{Shop} 00 01 00 01", "c0 0c 00 01 00 01 00 00 00 3c 00 04 0a 00 00 01  c0 0c 00 01 00 01 00 00 00 05 00 04 0a 00 00 02", 2),
            Response($"{Shop} 00 21 00 01", "c0 0c 00 21 00 01 00 00 00 1e 00 0a 00 01 00 05 1f 90 01 61 c0 11", 1, "01 61 c0 11 00 01 00 01 00 00 00 1e 00 04 0a 00 00 07", 1),
            Response($"{Shop} 00 1c 00 01", "c0 0c 00 05 00 01 00 00 00 02 00 04 01 61 c0 11  01 61 c0 11 00 1c 00 01 00 00 00 3c 00 10 fd000000000000000000000000000001", 2),
        ];
        var random = new Random(12);
        int[] seen = new int[Enum.GetValues<DnsStatus>().Length];
        for (int i = 0; i < 200_000; i++)
        {
            byte[] message = [.. seeds[i % seeds.Length]];
            for (int m = random.Next(6); m > 0; m--)
            {
                switch (random.Next(3))
                {
                    case 0: message[random.Next(2, message.Length)] = (byte)random.Next(256); break;
                    case 1: message[random.Next(2, message.Length)] ^= (byte)(1 << random.Next(8)); break;
                    default:
                        // Cut off, with the rest of another in its place.
                        byte[] other = seeds[random.Next(seeds.Length)];
                        message = [.. message[..random.Next(12, message.Length + 1)], .. other[random.Next(other.Length)..]];
                        break;
                }
            }
            seen[(int)DnsResponse.Parse(message, Id, "shop.test", (DnsType)((i % seeds.Length) switch { 0 => 1, 1 => 33, _ => 28 }), out _)]++;
        }
        Assert.All([DnsStatus.Answer, DnsStatus.NotTheAnswer, DnsStatus.Malformed, DnsStatus.Truncated], status => Assert.NotInRange(seen[(int)status], 0, 100));

        // The worst there is: as many records as fit, each with a name as long as pointers make it.
        byte[] worst = new byte[65_535];
        Response($"{Shop} 00 01 00 01", "", 0).CopyTo(worst, 0);
        worst[6] = worst[7] = 0xff;
        for (int at = 27; at + 12 < worst.Length; at += 12) worst[at] = 0xc0;
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        for (int i = 0; i < 20; i++) DnsResponse.Parse(worst, Id, "shop.test", DnsType.A, out _);
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 2);
    }
}
