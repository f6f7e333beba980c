using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gateway.Config;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Gateway.ControlPlane.Documents;

/// <summary>Scalars by the core schema of YAML 1.2 (§10.3.2): <c>on</c>, <c>yes</c> and dates are texts, and whatever is quoted is one.</summary>
internal static partial class CoreScalar
{
    public static void Write(Utf8JsonWriter json, Scalar scalar)
    {
        if (scalar.Style != ScalarStyle.Plain)
        {
            json.WriteStringValue(scalar.Value);
            return;
        }
        switch (scalar.Value)
        {
            case "" or "~" or "null" or "Null" or "NULL": json.WriteNullValue(); break;
            case "true" or "True" or "TRUE": json.WriteBooleanValue(true); break;
            case "false" or "False" or "FALSE": json.WriteBooleanValue(false); break;
            default:
                if (!TryNumber(json, scalar)) json.WriteStringValue(scalar.Value);
                break;
        }
    }

    private static bool TryNumber(Utf8JsonWriter json, Scalar scalar)
    {
        string text = scalar.Value;
        if (!char.IsAsciiDigit(text[0]) && text[0] is not ('-' or '+' or '.')) return false;
        if (JsonNumber().IsMatch(text))
        {
            json.WriteRawValue(text, skipInputValidation: true);
            return true;
        }
        if (NotFinite().IsMatch(text)) throw new YamlRefusedException(ConfigErrorCodes.OutOfRange, "infinity and not-a-number have no meaning here", scalar.Start);
        if (Hexadecimal().IsMatch(text)) return Whole(json, text, 16);
        if (Octal().IsMatch(text)) return Whole(json, text, 8);
        if (!CoreNumber().IsMatch(text) || !double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) || !double.IsFinite(value)) return false;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole)) json.WriteNumberValue(whole);
        else json.WriteNumberValue(value);
        return true;
    }

    /// <summary>0x and 0o; a number beyond 63 bits stays a text, which no number field takes.</summary>
    private static bool Whole(Utf8JsonWriter json, string text, int radix)
    {
        if (text.Length > 2 + (radix == 16 ? 15 : 20)) return false;
        json.WriteNumberValue(Convert.ToInt64(text[2..], radix));
        return true;
    }

    [GeneratedRegex(@"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex JsonNumber();

    [GeneratedRegex(@"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex CoreNumber();

    [GeneratedRegex(@"^0x[0-9a-fA-F]+\z", RegexOptions.CultureInvariant)]
    private static partial Regex Hexadecimal();

    [GeneratedRegex(@"^0o[0-7]+\z", RegexOptions.CultureInvariant)]
    private static partial Regex Octal();

    [GeneratedRegex(@"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\z", RegexOptions.CultureInvariant)]
    private static partial Regex NotFinite();
}
