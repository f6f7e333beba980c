using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Bundle;

namespace Gateway.ControlPlane.Tests.Bundles;

/// <summary>Bundles, good and bad: what the signer would not make is made by hand and signed all the same.</summary>
internal static class BundleMaker
{
    public static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    public static byte[] Make(string config, long sequence, params SigningKey[] keys) => Make(Encoding.UTF8.GetBytes(config), sequence, Now.AddHours(1), keys);

    public static byte[] Make(byte[] config, long sequence, DateTimeOffset expiresAt, params SigningKey[] keys) =>
        BundleFile.Sign(new BundleManifest { Sequence = sequence, CreatedAt = Now, ExpiresAt = expiresAt, Source = "git", ConfigSha256 = BundleFile.DigestOf(config), Config = config }, keys);

    /// <summary>The manifest of a bundle as JSON text, changed, and signed properly.</summary>
    public static byte[] Resigned(byte[] bundle, Func<string, string> change, params SigningKey[] keys)
    {
        JsonObject envelope = Parse(bundle);
        byte[] payload = Encoding.UTF8.GetBytes(change(Encoding.UTF8.GetString(Convert.FromBase64String(envelope["payload"]!.GetValue<string>()))));
        byte[] signed = Dsse.Encode(BundleFile.PayloadType, payload);
        envelope["payload"] = Convert.ToBase64String(payload);
        envelope["signatures"] = new JsonArray([.. keys.Select(k => (JsonNode)new JsonObject { ["keyid"] = k.Public.Id, ["sig"] = Convert.ToBase64String(k.Sign(signed)) })]);
        return Bytes(envelope);
    }

    /// <summary>The manifest changed, the signatures left.</summary>
    public static byte[] Altered(byte[] bundle, Func<string, string> change) => Edited(bundle, envelope =>
        envelope["payload"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(change(Encoding.UTF8.GetString(Convert.FromBase64String(envelope["payload"]!.GetValue<string>()))))));

    public static byte[] Edited(byte[] bundle, Action<JsonObject> change)
    {
        JsonObject envelope = Parse(bundle);
        change(envelope);
        return Bytes(envelope);
    }

    public static JsonObject Parse(byte[] bundle) => JsonNode.Parse(bundle)!.AsObject();

    private static byte[] Bytes(JsonObject envelope) => JsonSerializer.SerializeToUtf8Bytes(envelope);
}
