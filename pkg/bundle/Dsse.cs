using System.Text;

namespace Gateway.Bundle;

/// <summary>Dead Simple Signing Envelope, version 1 (github.com/secure-systems-lab/dsse): what is signed.</summary>
internal static class Dsse
{
    /// <summary>Pre-authentication encoding: type and body with their lengths before them, so that neither can be taken for the other.</summary>
    public static byte[] Encode(string payloadType, ReadOnlySpan<byte> payload)
    {
        byte[] head = Encoding.UTF8.GetBytes($"DSSEv1 {Encoding.UTF8.GetByteCount(payloadType)} {payloadType} {payload.Length} ");
        return [.. head, .. payload];
    }
}
