using Gateway.DataPlane.Server;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class TransportChoiceTests
{
    [Theory]
    [InlineData(TransportKind.Auto)]
    [InlineData(TransportKind.Sockets)]
    public void WhatWorksEverywhere_IsNotRefused(TransportKind transport) => Assert.Null(DataPlaneOptions.RefusalOf(transport, loopsAreHere: false));

    [Fact]
    public void EventLoopsThatAreAskedFor_AreNotReplacedInSilence()
    {
        Assert.Contains("needs Linux", DataPlaneOptions.RefusalOf(TransportKind.Epoll, loopsAreHere: false), StringComparison.Ordinal);
        Assert.Null(DataPlaneOptions.RefusalOf(TransportKind.Epoll, loopsAreHere: true));
    }
}
