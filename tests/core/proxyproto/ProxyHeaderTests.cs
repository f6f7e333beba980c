using System.Buffers.Binary;
using System.Net;
using System.Text;
using Gateway.Core.ProxyProto;
using Xunit;

namespace Gateway.Core.Tests.ProxyProto;

public sealed class ProxyHeaderTests
{
    private static readonly byte[] Signature = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];

    private static byte[] Ascii(string text) => Encoding.Latin1.GetBytes(text);

    private static byte[] V2(byte command, byte family, byte[] rest, int? length = null)
    {
        byte[] size = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(size, (ushort)(length ?? rest.Length));
        return [.. Signature, command, family, .. size, .. rest];
    }

    private static byte[] Addresses(string source, string destination, ushort sourcePort, ushort destinationPort) =>
    [
        .. IPAddress.Parse(source).GetAddressBytes(), .. IPAddress.Parse(destination).GetAddressBytes(),
        (byte)(sourcePort >> 8), (byte)sourcePort, (byte)(destinationPort >> 8), (byte)destinationPort,
    ];

    /// <summary>Name, header, what it says: "source destination", "local", "unix" or "keep".</summary>
    public static TheoryData<string, byte[], string> Valid() => new()
    {
        { "v1 over IPv4", Ascii("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"), "192.0.2.1:56324 198.51.100.7:443" },
        { "v1 with the largest numbers", Ascii("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535 255.255.255.255:65535" },
        { "v1 with port 0", Ascii("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0:0 0.0.0.0:0" },
        { "v1 over IPv6", Ascii("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), "[2001:db8::1]:1 [::1]:2" },
        { "v1 over IPv6, longest", Ascii("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
        { "v1 with IPv4 inside IPv6", Ascii("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1 2\r\n"), "192.0.2.1:1 192.0.2.2:2" },
        { "v1 of nobody known", Ascii("PROXY UNKNOWN\r\n"), "keep" },
        { "v1 of nobody known, 107 bytes", Ascii("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), "keep" },
        { "v1 of nobody known, with anything", Ascii("PROXY UNKNOWN \0\xff what ever\r\n"), "keep" },
        { "v2 over IPv4", V2(0x21, 0x11, Addresses("192.0.2.1", "198.51.100.7", 56324, 443)), "192.0.2.1:56324 198.51.100.7:443" },
        { "v2 over IPv6", V2(0x21, 0x21, Addresses("2001:db8::1", "::1", 1, 2)), "[2001:db8::1]:1 [::1]:2" },
        { "v2 with IPv4 inside IPv6", V2(0x21, 0x21, Addresses("::ffff:192.0.2.1", "::1", 1, 2)), "192.0.2.1:1 [::1]:2" },
        { "v2 with extensions", V2(0x21, 0x11, [.. Addresses("192.0.2.1", "192.0.2.2", 1, 2), 0x04, 0x00, 0x03, 1, 2, 3, 0xEA, 0x00, 0x00]), "192.0.2.1:1 192.0.2.2:2" },
        { "v2 as long as may be", V2(0x21, 0x11, [.. Addresses("192.0.2.1", "192.0.2.2", 1, 2), .. new byte[ProxyHeader.MaxLength - 28]]), "192.0.2.1:1 192.0.2.2:2" },
        { "v2 from a Unix socket", V2(0x21, 0x31, new byte[216]), "unix" },
        { "v2 of datagrams", V2(0x21, 0x12, Addresses("192.0.2.1", "192.0.2.2", 1, 2)), "keep" },
        { "v2 unspecified", V2(0x21, 0x00, []), "keep" },
        { "v2 unspecified, with something", V2(0x21, 0x00, new byte[20]), "keep" },
        { "v2 local", V2(0x20, 0x00, []), "local" },
        { "v2 local with addresses that do not count", V2(0x20, 0x11, Addresses("192.0.2.1", "192.0.2.2", 1, 2)), "local" },
        { "v2 local of an unheard-of family", V2(0x20, 0xFF, [1, 2, 3]), "local" },
    };

    private static string Text(in ProxyHeader header) =>
        header.IsLocal ? "local" : header.IsUnix ? "unix" : header.Source is null ? "keep" : $"{header.Source} {header.Destination}";

    [Theory]
    [MemberData(nameof(Valid))]
    public void A_header_is_read_and_every_prefix_of_it_asks_for_more(string name, byte[] bytes, string says)
    {
        byte[] stream = [.. bytes, .. "GET / HTTP/1.1\r\n"u8];
        for (int n = 0; n < bytes.Length; n++) Assert.Equal((name, n, ProxyHeaderStatus.NeedMore), (name, n, ProxyHeader.Parse(stream.AsSpan(0, n), out _)));
        for (int n = bytes.Length; n <= stream.Length; n++)
        {
            Assert.Equal(ProxyHeaderStatus.Complete, ProxyHeader.Parse(stream.AsSpan(0, n), out ProxyHeader header));
            Assert.Equal((says, bytes.Length), (Text(header), header.Length));
        }
    }

    public static TheoryData<string, byte[]> Hostile() => new()
    {
        { "no family", Ascii("PROXY \r\n") },
        { "another family", Ascii("PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n") },
        { "lower case", Ascii("PROXY tcp4 1.1.1.1 1.1.1.1 1 1\r\n") },
        { "UNKNOWN with a tail", Ascii("PROXY UNKNOWNS\r\n") },
        { "family alone", Ascii("PROXY TCP4\r\n") },
        { "no ports", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1\r\n") },
        { "one port", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n") },
        { "three ports", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n") },
        { "a space at the end", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n") },
        { "two spaces", Ascii("PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n") },
        { "a tab", Ascii("PROXY TCP4\t1.1.1.1 1.1.1.1 1 1\r\n") },
        { "line feed alone", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n") },
        { "carriage return alone", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\rX") },
        { "carriage return inside", Ascii("PROXY TCP4 1.1.1.1\r 1.1.1.1 1 1\r\n") },
        { "IPv6 as TCP4", Ascii("PROXY TCP4 ::1 ::1 1 1\r\n") },
        { "IPv4 as TCP6", Ascii("PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n") },
        { "a leading zero", Ascii("PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n") },
        { "a part too large", Ascii("PROXY TCP4 256.1.1.1 1.1.1.1 1 1\r\n") },
        { "three parts", Ascii("PROXY TCP4 1.1.1 1.1.1.1 1 1\r\n") },
        { "five parts", Ascii("PROXY TCP4 1.1.1.1.1 1.1.1.1 1 1\r\n") },
        { "an empty part", Ascii("PROXY TCP4 1..1.1 1.1.1.1 1 1\r\n") },
        { "hexadecimal IPv4", Ascii("PROXY TCP4 0x1.1.1.1 1.1.1.1 1 1\r\n") },
        { "a zone", Ascii("PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n") },
        { "brackets", Ascii("PROXY TCP6 [::1] ::1 1 1\r\n") },
        { "two compressions", Ascii("PROXY TCP6 ::1::2 ::1 1 1\r\n") },
        { "nine groups", Ascii("PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 1\r\n") },
        { "a port too large", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n") },
        { "a port with a zero before", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1 080 1\r\n") },
        { "a signed port", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n") },
        { "a negative port", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1 -1 1\r\n") },
        { "a port of six digits", Ascii("PROXY TCP4 1.1.1.1 1.1.1.1 000001 1\r\n") },
        { "a line without end", Ascii("PROXY UNKNOWN " + new string('x', 200)) },
        { "a line of 108 bytes", Ascii("PROXY UNKNOWN " + new string('x', 92) + "\r\n") },
        { "version 1 in binary", V2(0x11, 0x11, new byte[12]) },
        { "version 3 in binary", V2(0x31, 0x11, new byte[12]) },
        { "an unknown command", V2(0x22, 0x11, new byte[12]) },
        { "an unknown family", V2(0x21, 0x41, new byte[12]) },
        { "an unknown transport", V2(0x21, 0x13, new byte[12]) },
        { "too short for IPv4", V2(0x21, 0x11, new byte[11]) },
        { "too short for IPv6", V2(0x21, 0x21, new byte[35]) },
        { "too short for a Unix socket", V2(0x21, 0x31, new byte[215]) },
        { "longer than may be", V2(0x21, 0x11, [], ProxyHeader.MaxLength - 15) },
        { "the longest there is", V2(0x20, 0x00, [], ushort.MaxValue) },
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_malformed_header_is_refused_wherever_it_is_split(string name, byte[] bytes)
    {
        Assert.Equal((name, ProxyHeaderStatus.Malformed), (name, ProxyHeader.Parse(bytes, out _)));
        bool refused = false;
        for (int n = 0; n <= bytes.Length; n++)
        {
            ProxyHeaderStatus status = ProxyHeader.Parse(bytes.AsSpan(0, n), out _);
            // Once refused, always: no byte more makes it good.
            Assert.True(status == (refused ? ProxyHeaderStatus.Malformed : status) && status is ProxyHeaderStatus.Malformed or ProxyHeaderStatus.NeedMore, $"{name} at {n}: {status}");
            refused = status == ProxyHeaderStatus.Malformed;
        }
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n", 1)]
    [InlineData("POST / HTTP/1.1\r\n", 2)]
    [InlineData("PUT / HTTP/1.1\r\n", 2)]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 3)]
    [InlineData("PROPFIND / HTTP/1.1\r\n", 4)]
    [InlineData("PROXY\tTCP4", 6)]
    [InlineData("\x16\x03\x01", 1)]
    [InlineData("\r\nGET / HTTP/1.1\r\n", 3)]
    [InlineData("\r\n\r\n\0\r\nQUIT\r", 12)]
    [InlineData("\0", 1)]
    public void Another_protocol_is_told_apart_at_the_first_byte_that_differs(string text, int differs)
    {
        byte[] bytes = Ascii(text);
        for (int n = 0; n <= bytes.Length; n++)
            Assert.Equal(n < differs ? ProxyHeaderStatus.NeedMore : ProxyHeaderStatus.Absent, ProxyHeader.Parse(bytes.AsSpan(0, n), out _));
    }

    [Fact]
    public void Mutated_headers_never_throw_and_never_reach_past_their_end()
    {
        byte[][] seeds = [.. Valid().Select(static row => row.Data.Item2)];
        var random = new Random(20261120);
        for (int i = 0; i < 200_000; i++)
        {
            byte[] bytes = [.. seeds[random.Next(seeds.Length)]];
            if (random.Next(2) == 0) bytes = bytes[..random.Next(bytes.Length + 1)];
            for (int m = random.Next(4); m > 0 && bytes.Length > 0; m--) bytes[random.Next(Math.Min(bytes.Length, 60))] = (byte)random.Next(256);
            ProxyHeaderStatus status = ProxyHeader.Parse(bytes, out ProxyHeader header);
            if (status == ProxyHeaderStatus.Complete) Assert.InRange(header.Length, 15, bytes.Length);
            if (status == ProxyHeaderStatus.NeedMore) Assert.InRange(bytes.Length, 0, ProxyHeader.MaxLength - 1);
        }
    }
}
