using System.Text;
using System.Text.Json;
using Gateway.Config;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

public sealed class AddressPropertyTests
{
    private static readonly string[] Pieces = ["a", "-", "_", ".", "..", ":", ":80", "80", "0", "65535", "65536", "1", "127.0.0.1", "010.0.0.1", "0x7f", "[", "]", "[::1]", "::1", "%", " ", "*", "/", "@", "é", "xn--", "\\", "?", "#", "host"];

    /// <summary>The data plane makes a URI of an endpoint's address: what is valid here is one there, and means the same host and port.</summary>
    [Fact]
    public void EveryAcceptedEndpointAddress_IsAnAuthority()
    {
        var random = new Random(11);
        int accepted = 0;
        for (int round = 0; round < 20_000; round++)
        {
            string address = string.Concat(Enumerable.Range(0, random.Next(1, 6)).Select(_ => Pieces[random.Next(Pieces.Length)]));
            if (random.Next(2) == 0) address += ":80";
            string json = $$"""{ "version": "v1", "routes": [{ "name": "r", "pool": "p" }], "pools": { "p": { "endpoints": [{ "address": {{JsonSerializer.Serialize(address)}} }] } } }""";
            if (ConfigReader.ReadJson(Encoding.UTF8.GetBytes(json)).Config is null) continue;
            accepted++;
            Assert.True(Uri.TryCreate($"http://{address}/", UriKind.Absolute, out Uri? uri), address);
            int colon = address.LastIndexOf(':');
            Assert.Equal(address[..colon], uri.Host, ignoreCase: true);
            Assert.Equal(int.Parse(address[(colon + 1)..], null), uri.Port);
            Assert.Equal("", uri.UserInfo);
        }
        Assert.InRange(accepted, 300, 20_000);
    }
}
