using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Bundle;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Bundles;

/// <summary>Every way of being wrong has its own reason and metric, and changes nothing (after the advisory GHSA-g2pf-6v5v-qcc8 too).</summary>
public sealed class BundleRefusalTests : IDisposable
{
    private static readonly SigningKey Release = SigningKey.Generate(), Second = SigningKey.Generate(), Stranger = SigningKey.Generate();
    private static readonly string Config = ControlRig.Respond("signed");

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static byte[] Good => BundleMaker.Make(Config, 7, Release, Second);

    public static TheoryData<string, string> Refusals() => new()
    {
        { "no_signature", "signature stripped" },
        { "no_signature", "signatures empty" },
        { "bad_signature", "signature text empty" },
        { "unknown_key", "signed by a stranger" },
        { "unknown_key", "key id of nobody" },
        { "threshold_not_met", "one of two" },
        { "threshold_not_met", "one key twice" },
        { "bad_signature", "altered manifest" },
        { "bad_signature", "altered configuration" },
        { "bad_signature", "a stranger's signature under a trusted id" },
        { "bad_signature", "one good signature, one bad" },
        { "bad_signature", "signature of the bare payload" },
        { "bad_digest", "wrong digest" },
        { "bad_digest", "version of another configuration" },
        { "expired", "expired" },
        { "malformed", "truncated" },
        { "malformed", "truncated manifest" },
        { "malformed", "path traversal in the version" },
        { "malformed", "deep nesting" },
        { "malformed", "deep nesting in the manifest" },
        { "malformed", "duplicate keys" },
        { "malformed", "duplicate keys in the manifest" },
        { "malformed", "not JSON" },
        { "malformed", "empty" },
        { "malformed", "a list" },
        { "malformed", "sequence zero" },
        { "malformed", "sequence a fraction" },
        { "malformed", "no expiry" },
        { "malformed", "payload not base64" },
        { "unknown_field", "unknown field in the envelope" },
        { "unknown_field", "unknown field in a signature" },
        { "unknown_field", "unknown field in the manifest" },
        { "unsupported_format", "another payload type" },
        { "unsupported_format", "format 2" },
        { "too_large", "11 MiB" },
    };

    private static byte[] Bad(string how) => how switch
    {
        "signature stripped" => BundleMaker.Edited(Good, static e => e.Remove("signatures")),
        "signatures empty" => BundleMaker.Edited(Good, static e => e["signatures"] = new JsonArray()),
        "signature text empty" => BundleMaker.Edited(Good, static e => e["signatures"]![0]!["sig"] = ""),
        "signed by a stranger" => BundleMaker.Make(Config, 7, Stranger),
        "key id of nobody" => BundleMaker.Edited(Good, static e => { foreach (JsonNode? s in e["signatures"]!.AsArray()) s!["keyid"] = ""; }),
        "one of two" => BundleMaker.Make(Config, 7, Release, Stranger),
        "one key twice" => BundleMaker.Make(Config, 7, Release, Release),
        "altered manifest" => BundleMaker.Altered(Good, static m => m.Replace("\"sequence\":7", "\"sequence\":8")),
        "altered configuration" => BundleMaker.Altered(Good, static m => m.Replace(Convert.ToBase64String(Encoding.UTF8.GetBytes(Config)), Convert.ToBase64String(Encoding.UTF8.GetBytes(ControlRig.Respond("evil"))))),
        "a stranger's signature under a trusted id" => BundleMaker.Edited(BundleMaker.Make(Config, 7, Stranger, Second), static e => e["signatures"]![0]!["keyid"] = Release.Public.Id),
        "one good signature, one bad" => BundleMaker.Edited(Good, static e => e["signatures"]![1]!["sig"] = e["signatures"]![0]!["sig"]!.GetValue<string>()),
        "signature of the bare payload" => BundleMaker.Edited(Good, static e =>
        {
            byte[] payload = Convert.FromBase64String(e["payload"]!.GetValue<string>());
            e["signatures"]![0]!["sig"] = Convert.ToBase64String(Release.Sign(payload));
            e["signatures"]![1]!["sig"] = Convert.ToBase64String(Second.Sign(payload));
        }),
        "wrong digest" => Resigned(static m => m.Replace(BundleFile.DigestOf(Encoding.UTF8.GetBytes(Config)), new string('a', 64))),
        "version of another configuration" => Resigned(static m => m.Replace("\"version\":\"" + BundleFile.DigestOf(Encoding.UTF8.GetBytes(Config)), "\"version\":\"" + new string('a', 64))),
        "expired" => BundleMaker.Make(Encoding.UTF8.GetBytes(Config), 7, BundleMaker.Now.AddSeconds(-1), Release, Second),
        "truncated" => Good[..^20],
        "truncated manifest" => Resigned(static m => m[..^20]),
        "path traversal in the version" => Resigned(static m => m.Replace("\"version\":\"" + BundleFile.DigestOf(Encoding.UTF8.GetBytes(Config)), "\"version\":\"../../../etc/passwd")),
        "deep nesting" => Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"payload\":", 1000))),
        "deep nesting in the manifest" => Resigned(static m => m.Replace("\"git\"", string.Concat(Enumerable.Repeat("[", 1000)) + string.Concat(Enumerable.Repeat("]", 1000)))),
        "duplicate keys" => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(Good).Replace("\"signatures\"", "\"payload\":\"\",\"signatures\"")),
        "duplicate keys in the manifest" => Resigned(static m => m.Replace("\"sequence\":7", "\"sequence\":7,\"sequence\":8")),
        "not JSON" => "version: v1"u8.ToArray(),
        "empty" => [],
        "a list" => "[]"u8.ToArray(),
        "sequence zero" => Resigned(static m => m.Replace("\"sequence\":7", "\"sequence\":0")),
        "sequence a fraction" => Resigned(static m => m.Replace("\"sequence\":7", "\"sequence\":7.5")),
        "no expiry" => Resigned(static m => m.Replace("\"expiresAt\"", "\"notes\"").Replace("\"notes\":\"\",", "")),
        "payload not base64" => BundleMaker.Edited(Good, static e => e["payload"] = "%%%"),
        "unknown field in the envelope" => BundleMaker.Edited(Good, static e => e["keys"] = "mine"),
        "unknown field in a signature" => BundleMaker.Edited(Good, static e => e["signatures"]![0]!["cert"] = "mine"),
        "unknown field in the manifest" => Resigned(static m => m.Replace("\"sequence\":7", "\"sequence\":7,\"force\":true")),
        "another payload type" => BundleMaker.Edited(Good, static e => e["payloadType"] = "application/vnd.in-toto+json"),
        "format 2" => Resigned(static m => m.Replace("\"format\":1", "\"format\":2")),
        "11 MiB" => new byte[11 << 20],
        _ => throw new ArgumentOutOfRangeException(nameof(how), how, null),
    };

    private static byte[] Resigned(Func<string, string> change)
    {
        bool changed = false;
        byte[] bundle = BundleMaker.Resigned(Good, m =>
        {
            string edited = change(m);
            changed = edited != m;
            return edited;
        }, Release, Second);
        Assert.True(changed);
        return bundle;
    }

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task AWrongBundle_IsRefusedWithItsReason_AndNothingChanges(string code, string how)
    {
        await using ControlRig rig = new(_folder, verifier: new BundleVerifier([Release.Public, Second.Public], 2), signedOnly: true);
        await rig.StartAsync(ControlRig.Respond("file"));
        int records = rig.Store.History().Length;
        using HttpClient client = await rig.AdminClientAsync();
        using HttpResponseMessage response = await client.PostAsync("/admin/bundle", new ByteArrayContent(Bad(how)));
        JsonElement problem = await ControlRig.JsonAsync(response);
        Assert.Equal((code == "too_large" ? HttpStatusCode.RequestEntityTooLarge : HttpStatusCode.BadRequest, code), (response.StatusCode, problem.GetProperty("errors")[0].GetProperty("code").GetString()));
        Assert.Equal(("file", 0L, records), (rig.Serves, rig.Store.BundleSequence, rig.Store.History().Length));
        Assert.Contains($"gateway_bundle_verifications_total{{result=\"{code}\"}} 1\n", await client.GetStringAsync("/metrics"), StringComparison.Ordinal);
        Assert.Contains(rig.Audit.Newest(10), e => e.GetProperty("action").GetString() == "bundle" && e.GetProperty("result").GetString() == code);
        // The gateway itself is well: the good one goes in.
        using HttpResponseMessage good = await client.PostAsync("/admin/bundle", new ByteArrayContent(Good));
        Assert.Equal((HttpStatusCode.OK, "signed", 7L), (good.StatusCode, rig.Serves, rig.Store.BundleSequence));
        Assert.Contains("gateway_bundle_verifications_total{result=\"ok\"} 1\n", await client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [Fact]
    public void TheLastByteThatIsAllowed_IsRead_AndOneMoreIsNot()
    {
        var verifier = new BundleVerifier([Release.Public], 1);
        byte[] full = [.. BundleMaker.Make(Config, 1, Release), .. Enumerable.Repeat((byte)' ', BundleFile.MaxBytes)];
        Assert.Null(verifier.Verify(full.AsMemory(0, BundleFile.MaxBytes), BundleMaker.Now).Refusal);
        Assert.Equal("too_large", verifier.Verify(full.AsMemory(0, BundleFile.MaxBytes + 1), BundleMaker.Now).Refusal!.Code);
    }

    [Fact]
    public void ABundle_ExpiresAtTheInstantItSays()
    {
        var verifier = new BundleVerifier([Release.Public], 1);
        byte[] bundle = BundleMaker.Make(Encoding.UTF8.GetBytes(Config), 1, BundleMaker.Now, Release);
        Assert.Equal("expired", verifier.Verify(bundle, BundleMaker.Now).Refusal!.Code);
        Assert.Null(verifier.Verify(bundle, BundleMaker.Now.AddTicks(-1)).Refusal);
    }

    [Fact]
    public void EveryByteOfABundle_Matters()
    {
        // Either the reading or a signature finds each flipped bit of the payload and of the signatures.
        var verifier = new BundleVerifier([Release.Public, Second.Public], 2);
        byte[] bundle = Good;
        for (int i = 0; i < bundle.Length; i += 7)
        {
            byte[] flipped = [.. bundle];
            flipped[i] ^= 1;
            Assert.True(verifier.Verify(flipped, BundleMaker.Now).Refusal is not null, $"byte {i} ('{(char)bundle[i]}' to '{(char)flipped[i]}') does not matter");
        }
    }
}
