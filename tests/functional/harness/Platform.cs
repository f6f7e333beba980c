// The tests use file modes, signals and /proc: Linux is what the gateway is released for.
[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]
