namespace Gateway.Command;

/// <summary>How the process ended, for scripts and service managers.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>Bad configuration or input.</summary>
    public const int Input = 1;
    public const int Usage = 2;

    /// <summary>A defect of ours (sysexits.h, EX_SOFTWARE).</summary>
    public const int Internal = 70;
}
