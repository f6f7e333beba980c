using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Gateway.DataPlane.Obs;

/// <summary>The process and the runtime under it, under the names that Prometheus client libraries use.</summary>
internal static class ProcessMetrics
{
    private static readonly double StartTime = StartedAt();

    // The limit of descriptors can only be changed from outside (prlimit), which nobody does to a running gateway.
    private static readonly double MaxDescriptors = DescriptorLimit();

    public static void Write(Exposition exposition)
    {
        Write(exposition, "process_cpu_seconds_total", "User and system CPU time used.", MetricKind.Counter, Environment.CpuUsage.TotalTime.TotalSeconds);
        Write(exposition, "process_resident_memory_bytes", "Resident memory.", MetricKind.Gauge, Environment.WorkingSet);
        Write(exposition, "process_start_time_seconds", "When the process started, in Unix time.", MetricKind.Gauge, StartTime);
        if (OperatingSystem.IsLinux())
        {
            Write(exposition, "process_open_fds", "Open file descriptors.", MetricKind.Gauge, Directory.EnumerateFileSystemEntries("/proc/self/fd").Count());
            Write(exposition, "process_max_fds", "The most file descriptors that may be open.", MetricKind.Gauge, MaxDescriptors);
        }
        Write(exposition, "dotnet_gc_allocated_bytes_total", "Bytes allocated on the managed heap.", MetricKind.Counter, GC.GetTotalAllocatedBytes());
        Write(exposition, "dotnet_gc_heap_bytes", "Size of the managed heap.", MetricKind.Gauge, GC.GetTotalMemory(forceFullCollection: false));
        Write(exposition, "dotnet_gc_pause_seconds_total", "Time that all managed threads stood still for the garbage collector.", MetricKind.Counter, GC.GetTotalPauseDuration().TotalSeconds);
        exposition.Family("dotnet_gc_collections_total", "Garbage collections by the oldest generation collected.", MetricKind.Counter);
        for (int generation = 0; generation <= GC.MaxGeneration; generation++)
        {
            // CollectionCount counts a collection for its generation and for each one below.
            int older = generation == GC.MaxGeneration ? 0 : GC.CollectionCount(generation + 1);
            exposition.Sample(Exposition.Labels(["generation"], [generation.ToString(CultureInfo.InvariantCulture)]), Math.Max(0, GC.CollectionCount(generation) - older));
        }
        Write(exposition, "dotnet_thread_pool_threads", "Threads of the thread pool.", MetricKind.Gauge, ThreadPool.ThreadCount);
        Write(exposition, "dotnet_thread_pool_queue_length", "Work that waits for a thread of the pool.", MetricKind.Gauge, ThreadPool.PendingWorkItemCount);
    }

    /// <summary>Version and source revision of the gateway, and the runtime's version.</summary>
    public static (string Version, string Revision, string Runtime) Build()
    {
        string text = typeof(ProcessMetrics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
        int plus = text.IndexOf('+', StringComparison.Ordinal);
        return (plus < 0 ? text : text[..plus], plus < 0 ? "" : text[(plus + 1)..], RuntimeInformation.FrameworkDescription);
    }

    private static void Write(Exposition exposition, string name, string help, MetricKind kind, double value)
    {
        exposition.Family(name, help, kind);
        exposition.Sample([], value);
    }

    private static double StartedAt()
    {
        using Process process = Process.GetCurrentProcess();
        return (process.StartTime.ToUniversalTime() - DateTime.UnixEpoch).TotalSeconds;
    }

    private static double DescriptorLimit()
    {
        if (!OperatingSystem.IsLinux()) return double.NaN;
        foreach (string line in File.ReadLines("/proc/self/limits"))
        {
            // "Max open files            1024                 1048576              files": soft, then hard.
            if (!line.StartsWith("Max open files", StringComparison.Ordinal)) continue;
            string soft = line["Max open files".Length..].TrimStart().Split(' ')[0];
            return double.TryParse(soft, CultureInfo.InvariantCulture, out double limit) ? limit : double.PositiveInfinity;
        }
        return double.NaN;
    }
}
