using System.Runtime.ExceptionServices;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>Tests that watch the whole process, and so run while no other test does.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;

[Collection("alone")]
public sealed class ExpectedFailureTests
{
    [Theory]
    [InlineData("b", 404)]
    [InlineData("a", 503)]
    public async Task NoRouteAndNoEndpoint_AreAnsweredWithoutAnException(string host, int status)
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync([], new ProxyOptions { OnlyHost = "a" });
        int thrown = 0;
        void Count(object? sender, FirstChanceExceptionEventArgs e)
        {
            if (Environment.StackTrace.Contains("Gateway.DataPlane.Proxy", StringComparison.Ordinal)) Interlocked.Increment(ref thrown);
        }
        AppDomain.CurrentDomain.FirstChanceException += Count;
        try
        {
            Assert.Equal(status, (await RawHttpClient.OnceAsync(proxy.Address, $"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).Status);
        }
        finally
        {
            AppDomain.CurrentDomain.FirstChanceException -= Count;
        }
        Assert.Equal(0, thrown);
    }
}
