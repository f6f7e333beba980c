using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Gateway.Command.Run;

/// <summary>
/// The gateway's own log: one line per event on stderr, so that stdout carries the access log alone. Time, level, category, event id,
/// message; line ends within a message are written as <c>\n</c>, so that no one can forge a line.
/// </summary>
internal sealed class StderrLog(LogLevel least) : ILoggerProvider
{
    private readonly Lock _gate = new();
    private readonly Stream _output = Console.OpenStandardError();

    public static LogLevel ParseLevel(string text) => text switch
    {
        "trace" => LogLevel.Trace,
        "debug" => LogLevel.Debug,
        "warn" => LogLevel.Warning,
        "error" => LogLevel.Error,
        _ => LogLevel.Information,
    };

    /// <summary>What the server under us says of its daily business is for debugging.</summary>
    public ILogger CreateLogger(string categoryName)
    {
        bool ours = categoryName.StartsWith("gateway", StringComparison.OrdinalIgnoreCase);
        return new Category(this, categoryName, !ours && least == LogLevel.Information ? LogLevel.Warning : least);
    }

    public void Dispose() => _output.Dispose();

    private void Write(string line)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(line);
        lock (_gate)
        {
            try
            {
                _output.Write(bytes);
            }
            catch (IOException)
            {
                // Nobody reads the log any more; that is no reason to stop serving.
            }
        }
    }

    private sealed class Category(StderrLog log, string name, LogLevel least) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= least && logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            StringBuilder line = new(160);
            _ = line.Append(TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture))
                .Append(' ').Append(Label(logLevel)).Append(' ').Append(name)
                .Append('[').Append(eventId.Id.ToString(CultureInfo.InvariantCulture)).Append("] ");
            AppendOneLine(line, formatter(state, exception));
            if (exception is not null)
            {
                _ = line.Append(": ");
                AppendOneLine(line, logLevel >= LogLevel.Error ? exception.ToString() : $"{exception.GetType().Name}: {exception.Message}");
            }
            log.Write(line.Append('\n').ToString());
        }

        private static string Label(LogLevel level) => level switch
        {
            LogLevel.Trace => "trace",
            LogLevel.Debug => "debug",
            LogLevel.Information => "info",
            LogLevel.Warning => "warn",
            LogLevel.Error => "error",
            _ => "fatal",
        };

        private static void AppendOneLine(StringBuilder line, string text)
        {
            foreach (char c in text)
            {
                if (c == '\n') _ = line.Append("\\n");
                else if (!char.IsControl(c)) _ = line.Append(c);
            }
        }
    }
}
