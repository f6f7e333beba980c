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

    /// <summary>Compiles the section <c>accessLog</c>. Adds to <paramref name="errors"/> what is wrong with it, and then what is returned is of no use.</summary>
    public static AccessLogModel Compile(AccessLogConfig config, string baseDirectory, ICollection<ConfigError> errors)
    {
        AccessLogField[] fields = FieldsOf(config, errors);
        ulong[] keep = Shares(config.Sample, errors);
        if (config.Output == "off") return Off;
        if (config.Output == "stdout") return new(AccessLogOutputKind.Stdout, "", config.Format, fields, config.RedactQuery, keep);

        if (config.Output.Length == 0 || config.Output.Contains('\0'))
        {
            errors.Add(new("accessLog.output", ConfigErrorCodes.InvalidValue, "The output is empty or holds a NUL. Use \"stdout\", \"off\" or the path of a file."));
            return Off;
        }
        string path = System.IO.Path.GetFullPath(config.Output, baseDirectory);
        string? folder = System.IO.Path.GetDirectoryName(path);
        if (Directory.Exists(path))
            errors.Add(new("accessLog.output", ConfigErrorCodes.InvalidValue, $"{path} is a folder. Name a file in it."));
        else if (!Directory.Exists(folder))
            errors.Add(new("accessLog.output", ConfigErrorCodes.InvalidValue, $"The folder {folder} does not exist. Create it; the gateway only creates the file."));
        return new(AccessLogOutputKind.File, path, config.Format, fields, config.RedactQuery, keep);
    }

    private static AccessLogField[] FieldsOf(AccessLogConfig config, ICollection<ConfigError> errors)
    {
        if (config.Fields.Count == 0) return AccessLogFields.All;
        if (config.Format != AccessLogFormat.Json)
            errors.Add(new("accessLog.fields", ConfigErrorCodes.Conflict, $"The format {config.Format.ToString().ToLowerInvariant()} has fields of its own. Remove this, or use the format \"json\"."));
        List<AccessLogField> fields = [];
        for (int i = 0; i < config.Fields.Count; i++)
        {
            string at = string.Create(CultureInfo.InvariantCulture, $"accessLog.fields[{i}]");
            if (!AccessLogFields.ByName.TryGetValue(config.Fields[i], out AccessLogField field))
                errors.Add(new(at, ConfigErrorCodes.InvalidValue, $"There is no field \"{config.Fields[i]}\". Use any of {string.Join(", ", AccessLogFields.All.Select(AccessLogFields.Name))}."));
            else if (fields.Contains(field))
                errors.Add(new(at, ConfigErrorCodes.DuplicateName, $"The field \"{config.Fields[i]}\" is there already. Remove it here."));
            else
                fields.Add(field);
        }
        return [.. fields];
    }

    private static ulong[] Shares(IReadOnlyDictionary<string, double> sample, ICollection<ConfigError> errors)
    {
        if (sample.Count == 0) return [];
        ulong[] keep = new ulong[600];
        Array.Fill(keep, 1UL << 32);
        // Classes first: an exact status is meant to say something else than its class.
        foreach ((string status, double share) in sample.OrderBy(static s => !s.Key.EndsWith("xx", StringComparison.Ordinal)))
        {
            string at = $"accessLog.sample.{status}";
            if (!(share is >= 0 and <= 1))
            {
                errors.Add(new(at, ConfigErrorCodes.OutOfRange, string.Create(CultureInfo.InvariantCulture, $"{share} is no share. Use 0 (none) to 1 (all).")));
                continue;
            }
            ulong threshold = (ulong)(share * (1UL << 32));
            if (status.Length == 3 && status[0] is >= '1' and <= '5' && status.EndsWith("xx", StringComparison.Ordinal))
                Array.Fill(keep, threshold, (status[0] - '0') * 100, 100);
            else if (status.Length == 3 && int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out int exact) && exact is >= 100 and < 600)
                keep[exact] = threshold;
            else
                errors.Add(new(at, ConfigErrorCodes.InvalidValue, $"\"{status}\" is neither a status class nor a status. Use \"2xx\" or \"404\", for example."));
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
    Category,
    Detail,
    Snapshot,
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
