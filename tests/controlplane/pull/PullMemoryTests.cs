using Gateway.Bundle;
using Gateway.ControlPlane.Pull;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Pull;

public sealed class PullMemoryTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static RefusedBundle Refused(int number) => new($"{number:x64}", number, $"{number + 1:x64}", "expect_failed", "routes[0].expect[0]: no", TimeProvider.System.GetUtcNow());

    [Fact]
    public void WhatWasRefused_IsRememberedOverARestart()
    {
        RefusedBundle one = Refused(1);
        var memory = new PullMemory(_folder.Root, "judge");
        memory.Refuse(one);
        memory.Settle(one.Digest, "\"a\"");
        var again = new PullMemory(_folder.Root, "judge");
        Assert.Equal(one, again.Find(one.Digest));
        Assert.Equal(one, again.LastRefused);
        Assert.Equal("\"a\"", again.ETag);
        again.Settle("other", "\"b\"");
        Assert.Null(again.LastRefused);
        Assert.NotNull(again.Find(one.Digest));
    }

    [Fact]
    public void AnotherJudge_StartsAnew()
    {
        var memory = new PullMemory(_folder.Root, "judge");
        memory.Refuse(Refused(1));
        memory.Settle(Refused(1).Digest, "\"a\"");
        var other = new PullMemory(_folder.Root, "another");
        Assert.Null(other.Find(Refused(1).Digest));
        Assert.Null(other.ETag);
        using SigningKey a = SigningKey.Generate(), b = SigningKey.Generate();
        Uri url = new("https://d.example/bundles/latest");
        string judge = PullMemory.JudgeOf(new BundleVerifier([a.Public, b.Public], 1), url);
        Assert.Equal(judge, PullMemory.JudgeOf(new BundleVerifier([b.Public, a.Public], 1), url));
        Assert.NotEqual(judge, PullMemory.JudgeOf(new BundleVerifier([a.Public, b.Public], 2), url));
        Assert.NotEqual(judge, PullMemory.JudgeOf(new BundleVerifier([a.Public], 1), url));
        Assert.NotEqual(judge, PullMemory.JudgeOf(new BundleVerifier([a.Public, b.Public], 1), new Uri("https://e.example/")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"judge\": \"judge\"")]
    [InlineData("{\"judge\": \"judge\", \"refused\": [{}]}")]
    [InlineData("[]")]
    public void ADamagedFile_IsToldOf_AndCostsNoMore(string content)
    {
        _ = _folder.Write("pull.json", content);
        var memory = new PullMemory(_folder.Root, "judge");
        Assert.NotNull(memory.Note);
        Assert.Null(memory.ETag);
        memory.Refuse(Refused(1));
        Assert.NotNull(new PullMemory(_folder.Root, "judge").Find(Refused(1).Digest));
    }

    [Fact]
    public void TheOldest_AreForgottenFirst()
    {
        var memory = new PullMemory(_folder.Root, "judge");
        for (int i = 0; i < 65; i++) memory.Refuse(Refused(i));
        memory = new PullMemory(_folder.Root, "judge");
        Assert.Null(memory.Find(Refused(0).Digest));
        for (int i = 1; i < 65; i++) Assert.NotNull(memory.Find(Refused(i).Digest));
    }
}
