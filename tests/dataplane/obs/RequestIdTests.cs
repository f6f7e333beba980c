using System.Text;
using Gateway.DataPlane.Obs;
using Xunit;

namespace Gateway.DataPlane.Tests.Obs;

public sealed class RequestIdTests
{
    [Fact]
    public void AMadeId_IsTheDigitsOfItsNumbers_AsTextAndAsBytes() => AssertReads("00000000000000ff0123456789abcdef", new RequestId(0xff, 0x0123456789abcdef));

    [Fact]
    public void AClientsId_StaysAsItIs() => AssertReads("abc-DEF_1", new RequestId("abc-DEF_1"));

    [Fact]
    public void NoId_IsEmpty() => AssertReads("", default);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WithoutRoom_NothingIsSaid(bool made)
    {
        RequestId id = made ? new RequestId(1, 2) : new RequestId("abc");
        Assert.False(id.TryFormat(new byte[id.Length - 1], out _));
    }

    private static void AssertReads(string text, RequestId id)
    {
        Assert.Equal(text, id.ToString());
        Assert.Equal(text.Length, id.Length);
        byte[] bytes = new byte[RequestId.MaxLength];
        Assert.True(id.TryFormat(bytes, out int written));
        Assert.Equal(text, Encoding.ASCII.GetString(bytes.AsSpan(0, written)));
    }
}
