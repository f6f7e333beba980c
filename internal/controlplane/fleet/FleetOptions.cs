using System.Text.RegularExpressions;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

/// <summary>How a gateway is a replica of a fleet.</summary>
/// <param name="Connection">Of the PostgreSQL database that the replicas share, as Npgsql takes it.</param>
/// <param name="Schema">Where its tables are; made when it is not there.</param>
/// <param name="Replica">This gateway's name, unlike that of every other replica.</param>
public sealed partial record FleetOptions(string Connection, string Schema, string Replica)
{
    public const string DefaultSchema = "gateway";

    /// <summary>Seconds: a database that does not answer must not hold up a change for long.</summary>
    private const int Patience = 5;

    /// <param name="connection">From the command line; null for none.</param>
    /// <param name="file">With the connection string in it, for what has a password; null for none.</param>
    /// <param name="schema">As <see cref="Schema"/>.</param>
    /// <param name="replica">As <see cref="Replica"/>.</param>
    /// <returns>Null for a gateway by itself.</returns>
    /// <exception cref="FormatException">Something is wrong with one of them; the message says what, and the fix.</exception>
    public static FleetOptions? Read(string? connection, string? file, string schema, string replica)
    {
        if (connection is null && file is null) return null;
        if (connection is not null && file is not null) throw new FormatException("--fleet and --fleet-file both name the fleet's database; give one of them");
        string option = file is null ? "--fleet" : $"--fleet-file {file}";
        NpgsqlConnectionStringBuilder parts;
        try
        {
            parts = new NpgsqlConnectionStringBuilder(connection ?? File.ReadAllText(file!).Trim());
        }
        catch (ArgumentException e)
        {
            throw new FormatException($"{option} is not a connection string: {e.Message.TrimEnd('.')}. Write it as 'Host=db.example.com;Database=gateway;Username=gateway'", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FormatException($"--fleet-file cannot be read: {e.Message}", e);
        }
        if (string.IsNullOrEmpty(parts.Host)) throw new FormatException($"{option} names no host. Write it as 'Host=db.example.com;Database=gateway;Username=gateway'");
        if (file is null && parts.Password is not null) throw new FormatException("--fleet has a password, which everyone on this machine can read from the list of processes. Put the connection string into a file and name it with --fleet-file, or the password into a PGPASSFILE");
        if (!SchemaName().IsMatch(schema)) throw new FormatException($"--fleet-schema is '{schema}'; it is lower-case letters, digits and _, at most 40");
        if (replica.Length is 0 or > 200 || replica.Any(char.IsControl)) throw new FormatException("--replica is a name of 1 to 200 characters");
        if (!parts.ContainsKey("Timeout")) parts.Timeout = Patience;
        if (!parts.ContainsKey("Command Timeout")) parts.CommandTimeout = Patience;
        parts.ApplicationName ??= $"gateway {replica}";
        // One listens, one shares a change, one is for who looks.
        parts.MaxPoolSize = Math.Min(parts.MaxPoolSize, 4);
        parts.Enlist = false;
        return new FleetOptions(parts.ConnectionString, schema, replica);
    }

    /// <summary>Where the database is, without what is secret.</summary>
    public string Shown
    {
        get
        {
            NpgsqlConnectionStringBuilder parts = new(Connection);
            return $"{parts.Host}:{parts.Port}/{parts.Database ?? parts.Username} schema {Schema}";
        }
    }

    [GeneratedRegex("^[a-z_][a-z0-9_]{0,39}$")]
    private static partial Regex SchemaName();
}
