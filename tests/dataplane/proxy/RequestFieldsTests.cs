using Gateway.DataPlane.Proxy;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class RequestFieldsTests
{
    private readonly RequestFields _fields = new();

    /// <summary>Reads fields given as <c>name: value</c>, of one name together; true when the version changed.</summary>
    private bool Read(params string[] lines)
    {
        int version = _fields.Version;
        var headers = new HeaderDictionary();
        foreach (IGrouping<string, string> field in lines.GroupBy(static l => l[..l.IndexOf(':')], static l => l[(l.IndexOf(':') + 2)..])) headers[field.Key] = field.ToArray();
        _fields.Read(headers);
        Assert.Equal(headers.Select(static h => (h.Key, h.Value)), _fields.All.ToArray());
        Assert.Equal((lines.Length, lines.Sum(static l => l.Length + 2)), (_fields.Lines, _fields.Bytes));
        return _fields.Version != version;
    }

    [Fact]
    public void TheSameFields_HaveTheSameVersion()
    {
        Assert.True(Read("Host: a", "Accept: */*"));
        Assert.False(Read("Host: a", "Accept: */*"));
        // Equal, not the same strings.
        Assert.False(Read("Host: a", "Accept: " + string.Concat("*", "/", "*")));
    }

    [Theory]
    [InlineData("Host: b|Accept: x")]
    [InlineData("Host: a|Accept: y")]
    [InlineData("Host: a|Accept: X")]
    [InlineData("Host: a|accept: x")]
    [InlineData("Accept: x|Host: a")]
    [InlineData("Host: a")]
    [InlineData("Host: a|Accept: x|Cookie: c")]
    [InlineData("Host: a|Cookie: c|Accept: x")]
    [InlineData("Host: a|Accept: x|Accept: x")]
    [InlineData("Host: a|Accept: ")]
    public void AnyDifference_ChangesTheVersion_ThereAndBack(string other)
    {
        string[] first = ["Host: a", "Accept: x"], second = other.Split('|');
        _ = Read(first);
        Assert.True(Read(second));
        Assert.True(Read(first));
        Assert.False(Read(first));
    }

    [Fact]
    public void AVersion_NeverComesBack()
    {
        var seen = new HashSet<int>();
        for (int i = 0; i < 100; i++)
        {
            _ = Read($"Host: {i % 2}");
            Assert.True(seen.Add(_fields.Version));
        }
    }

    [Fact]
    public void FieldsThatShrinkAndGrow_LeaveNothingBehind()
    {
        string[] many = [.. Enumerable.Range(0, 40).Select(static i => $"X-Field-{i}: {i}")];
        Assert.True(Read(many));
        for (int count = 39; count >= 0; count -= 3) Assert.True(Read(many[..count]));
        Assert.True(Read(many));
        Assert.True(Read());
        Assert.False(Read());
        Assert.Equal(0, _fields.Count);
    }

    [Theory]
    [InlineData("A: b", true)]
    [InlineData("A: b\tc \u00e9", true)]
    [InlineData("A: b\u0001", false)]
    [InlineData("A: b\u007f", false)]
    [InlineData("A b: c", false)]
    [InlineData("A(b): c", false)]
    public void Soundness_IsOfTheseFields_NotOfTheLastRequests(string line, bool sound)
    {
        _ = Read("Host: a");
        Assert.True(_fields.IsSound);
        _ = Read(line);
        Assert.Equal(sound, _fields.IsSound);
        _ = Read("Host: a");
        Assert.True(_fields.IsSound);
    }

    [Fact]
    public void ALargeHead_IsNotKeptWhileTheConnectionRests()
    {
        string large = new('x', 5000);
        _ = Read("Host: a", $"Cookie: {large}");
        _fields.Rest();
        Assert.Equal(0, _fields.Count);
        Assert.True(Read("Host: a", $"Cookie: {large}"));

        _ = Read("Host: a");
        _fields.Rest();
        Assert.False(Read("Host: a"));
    }
}
