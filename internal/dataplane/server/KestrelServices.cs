using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>
/// What Kestrel asks its options for, and only when TLS is set up: loggers, and its own metrics, which need a factory of meters. A
/// container would cost start-up time for three answers.
/// </summary>
public sealed class KestrelServices(ILoggerFactory loggers) : IServiceProvider
{
    private readonly NoMeters _meters = new();
    private object? _kestrelMetrics;

    public ILoggerFactory Loggers => loggers;

    public object? GetService(Type serviceType)
    {
        if (serviceType == typeof(ILoggerFactory)) return loggers;
        if (serviceType == typeof(IMeterFactory)) return _meters;
        // The metrics' type is Kestrel's own business; what it asks for is made of what is here.
        return serviceType.Assembly == typeof(KestrelServer).Assembly ? _kestrelMetrics ??= ActivatorUtilities.CreateInstance(this, serviceType) : null;
    }

    /// <summary>Meters that nobody listens to: the gateway has its own metrics.</summary>
    private sealed class NoMeters : IMeterFactory
    {
        public Meter Create(MeterOptions options)
        {
            options.Scope = this;
            return new Meter(options);
        }

        public void Dispose()
        {
        }
    }
}
