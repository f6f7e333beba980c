using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace Gateway.Ctl.Distributor;

/// <summary>The preference <c>wait</c> of RFC 7240 section 4.3: how many seconds a client would wait for an answer.</summary>
internal static class WaitPreference
{
    /// <summary>A client may ask for more, and gets this; balancers on the way give up on an idle connection sooner or later.</summary>
    public static readonly TimeSpan Most = TimeSpan.FromMinutes(5);

    /// <summary>Null when none is given, or none that is a number. Of several the first counts, as the RFC says.</summary>
    public static TimeSpan? Of(StringValues prefer)
    {
        foreach (string? field in prefer)
        {
            foreach (string preference in (field ?? "").Split(',', StringSplitOptions.TrimEntries))
            {
                string[] parts = preference.Split(';')[0].Split('=', 2, StringSplitOptions.TrimEntries);
                if (parts.Length != 2 || !parts[0].Equals("wait", StringComparison.OrdinalIgnoreCase)) continue;
                return uint.TryParse(parts[1].Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out uint seconds) && seconds > 0
                    ? TimeSpan.FromSeconds(Math.Min(seconds, Most.TotalSeconds))
                    : null;
            }
        }
        return null;
    }
}
