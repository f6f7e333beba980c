namespace Gateway.Ctl;

/// <summary>What a script may rely on.</summary>
internal static class ExitCode
{
    public const int Ok = 0;

    /// <summary>The gateway refused, or a file named on the command line cannot be used.</summary>
    public const int Refused = 1;

    public const int Usage = 2;

    /// <summary>The gateway cannot be reached or failed (sysexits: EX_SOFTWARE).</summary>
    public const int Unavailable = 70;
}

/// <summary>A reason to stop that the user can mend; the message says how.</summary>
internal sealed class UserException(string message) : Exception(message);
