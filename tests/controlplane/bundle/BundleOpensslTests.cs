using System.Text.Json.Nodes;
using Gateway.Bundle;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Bundles;

/// <summary>Keys and signatures against the openssl command, both ways.</summary>
public sealed class BundleOpensslTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static async Task<string> OpensslAsync()
    {
        string? path = Command.Find("openssl");
        Assert.SkipWhen(path is null, "SKIPPED: 'openssl' is not installed, signatures were not verified with it");
        string version = (await Command.RunAsync(path!, ["version"])).Out;
        Assert.SkipUnless(int.TryParse(version.Split(' ')[1].Split('.')[0], out int major) && major >= 3, $"SKIPPED: {version.Trim()} is older than OpenSSL 3, signatures were not verified with it");
        return path!;
    }

    [Fact]
    public async Task ABundlesSignature_VerifiesWithPlainOpenssl_AndAnAlteredOneDoesNot()
    {
        string openssl = await OpensslAsync();
        using SigningKey key = SigningKey.Generate();
        JsonObject envelope = BundleMaker.Parse(BundleMaker.Make(ControlRig.Respond("x"), 1, key));
        byte[] payload = Convert.FromBase64String(envelope["payload"]!.GetValue<string>());
        // DSSE by its specification, not by our code.
        byte[] signed = [.. System.Text.Encoding.ASCII.GetBytes($"DSSEv1 35 application/vnd.gateway.bundle+json {payload.Length} "), .. payload];
        await File.WriteAllBytesAsync(_folder["signed"], signed);
        await File.WriteAllBytesAsync(_folder["sig"], Convert.FromBase64String(envelope["signatures"]![0]!["sig"]!.GetValue<string>()));
        await File.WriteAllTextAsync(_folder["key.pub"], key.Public.ToPem());
        string[] verify = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", _folder["key.pub"], "-in", _folder["signed"], "-sigfile", _folder["sig"]];
        CommandResult good = await Command.RunAsync(openssl, verify);
        Assert.True(good.ExitCode == 0, good.Out + good.Error);
        Assert.Contains("Signature Verified Successfully", good.Out, StringComparison.Ordinal);
        signed[^1] ^= 1;
        await File.WriteAllBytesAsync(_folder["signed"], signed);
        Assert.NotEqual(0, (await Command.RunAsync(openssl, verify)).ExitCode);
    }

    [Fact]
    public async Task KeysMadeByOpenssl_SignAndVerify_AndTheirIdIsTheDigestOfTheirDer()
    {
        string openssl = await OpensslAsync();
        Assert.Equal(0, (await Command.RunAsync(openssl, ["genpkey", "-algorithm", "ed25519", "-out", _folder["key.pem"]])).ExitCode);
        Assert.Equal(0, (await Command.RunAsync(openssl, ["pkey", "-in", _folder["key.pem"], "-pubout", "-out", _folder["pub.pem"]])).ExitCode);
        Assert.Equal(0, (await Command.RunAsync(openssl, ["pkey", "-in", _folder["key.pem"], "-pubout", "-outform", "DER", "-out", _folder["pub.der"]])).ExitCode);
        string privatePem = await File.ReadAllTextAsync(_folder["key.pem"]), publicPem = await File.ReadAllTextAsync(_folder["pub.pem"]);
        using SigningKey key = SigningKey.FromPem(privatePem);
        VerificationKey trusted = VerificationKey.FromPem(publicPem);
        Assert.Equal((trusted.Id, BundleFile.DigestOf(await File.ReadAllBytesAsync(_folder["pub.der"]))), (key.Public.Id, trusted.Id));
        Assert.Equal((privatePem, publicPem), (key.ToPem(), trusted.ToPem()));
        Assert.Null(new BundleVerifier([trusted], 1).Verify(BundleMaker.Make(ControlRig.Respond("x"), 1, key), BundleMaker.Now).Refusal);
    }

    [Fact]
    public void WhatIsNoEd25519Key_IsSaidToBe()
    {
        using SigningKey key = SigningKey.Generate();
        Assert.Contains("it is a PRIVATE KEY", Assert.Throws<FormatException>(() => VerificationKey.FromPem(key.ToPem())).Message, StringComparison.Ordinal);
        Assert.Contains("it is a PUBLIC KEY", Assert.Throws<FormatException>(() => SigningKey.FromPem(key.Public.ToPem())).Message, StringComparison.Ordinal);
        Assert.Contains("it is not PEM", Assert.Throws<FormatException>(() => VerificationKey.FromPem("ssh-ed25519 AAAA")).Message, StringComparison.Ordinal);
        using var ec = System.Security.Cryptography.ECDsa.Create();
        Assert.Contains("another algorithm", Assert.Throws<FormatException>(() => VerificationKey.FromPem(ec.ExportSubjectPublicKeyInfoPem())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheSignature_IsThatOfRfc8032()
    {
        // RFC 8032 section 7.1, test 2.
        byte[] seed = Convert.FromHexString("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"), message = [0x72];
        byte[] expected = Convert.FromHexString("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        using SigningKey key = SigningKey.FromPem(KeyPem.WritePrivate(seed));
        Assert.Equal(expected, key.Sign(message));
        Assert.True(key.Public.Verify(message, expected));
        Assert.False(key.Public.Verify([0x73], expected));
    }
}
