using System.Collections.Frozen;
using System.Globalization;
using Gateway.Config;

namespace Gateway.DataPlane.Obs;

/// <summary>The access log's settings of one snapshot. Immutable.</summary>
internal sealed class AccessLogModel
{
    /// <summary>Share per status, as a threshold for 32 random bits; 2^32 keeps all.</summary>
    private readonly ulong[] _keep;

    private AccessLogModel(AccessLogOutputKind output, string path, AccessLogFormat format, AccessLogField[] fields, bool redactQuery, ulong[] keep) =>
        (Output, Path, Format, Fields, RedactQuery, _keep) = (output, path, format, fields, redactQuery, keep);

    public static AccessLogModel Off { get; } = new(AccessLogOutputKind.Off, "", AccessLogFormat.Json, [], false, []);

    public AccessLogOutputKind Output { get; }

    /// <summary>Absolute; empty unless <see cref="Output"/> is a file.</summary>
    public string Path { get; }

    public AccessLogFormat Format { get; }
    public AccessLogField[] Fields { get; }
    public bool RedactQuery { get; }

    /// <summary>2^32 when every line of the status is kept, 0 when none is.</summary>
    public ulong Keep(int status) => (uint)status < (uint)_keep.Length ? _keep[status] : 1UL << 32;

    /// <summary>
    /// Compiles the section <c>accessLog</c> of a valid document. Adds to <paramref name="errors"/> what is wrong with the file on this machine,
    /// and then what is returned is of no use.
    /// </summary>
    public static AccessLogModel Compile(AccessLogConfig config, string baseDirectory, ICollection<ConfigError> errors)
    {
        AccessLogField[] fields = config.Fields.Count == 0 ? AccessLogFields.All : [.. config.Fields.Select(static name => AccessLogFields.ByName[name])];
        ulong[] keep = Shares(config.Sample);
        if (config.Output == "off") return Off;
        if (config.Output == "stdout") return new(AccessLogOutputKind.Stdout, "", config.Format, fields, config.RedactQuery, keep);

        string path = System.IO.Path.GetFullPath(config.Output, baseDirectory);
        string? folder = System.IO.Path.GetDirectoryName(path);
        if (Directory.Exists(path))
            errors.Add(new("accessLog.output", ConfigErrorCodes.InvalidValue, $"{path} is a folder. Name a file in it."));
        else if (!Directory.Exists(folder))
            errors.Add(new("accessLog.output", ConfigErrorCodes.InvalidValue, $"The folder {folder} does not exist. Create it; the gateway only creates the file."));
        return new(AccessLogOutputKind.File, path, config.Format, fields, config.RedactQuery, keep);
    }

    private static ulong[] Shares(IReadOnlyDictionary<string, double> sample)
    {
        if (sample.Count == 0) return [];
        ulong[] keep = new ulong[600];
        Array.Fill(keep, 1UL << 32);
        // Classes first: an exact status is meant to say something else than its class.
        foreach ((string status, double share) in sample.OrderBy(static s => !s.Key.EndsWith("xx", StringComparison.Ordinal)))
        {
            ulong threshold = (ulong)(share * (1UL << 32));
            if (status.EndsWith("xx", StringComparison.Ordinal)) Array.Fill(keep, threshold, (status[0] - '0') * 100, 100);
            else keep[int.Parse(status, NumberStyles.None, CultureInfo.InvariantCulture)] = threshold;
        }
        return keep;
    }
}

internal enum AccessLogOutputKind
{
    Off,
    Stdout,
    File,
}

/// <summary>The fields of a JSON line, in the order in which they are written when none are named.</summary>
internal enum AccessLogField
{
    Time,
    RequestId,
    Method,
    Scheme,
    Host,
    Path,
    Query,
    Protocol,
    Status,
    Route,
    Pool,
    Endpoint,
    Attempts,
    Breaker,
    Category,
    Detail,
    Snapshot,
    Variant,
    ClientIp,
    Listener,
    DurationMs,
    UpstreamMs,
    RequestBytes,
    ResponseBytes,
    UserAgent,
    Referer,
    TlsVersion,
    TlsCipher,
    Sni,
}

internal static class AccessLogFields
{
    public static AccessLogField[] All { get; } = Enum.GetValues<AccessLogField>();

    public static FrozenDictionary<string, AccessLogField> ByName { get; } = All.ToFrozenDictionary(Name, StringComparer.Ordinal);

    public static string Name(AccessLogField field)
    {
        string name = field.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
