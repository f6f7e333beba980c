using System.Reflection;
using System.Runtime.CompilerServices;
using Gateway.Config;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Xunit;

namespace Gateway.DataPlane.Tests.Architecture;

/// <summary>The rules of internal/README.md, read from the compiled assemblies. <see cref="ArchitectureRulesCanFailTests"/> shows that they can fail.</summary>
public sealed class ArchitectureTests
{
    /// <summary>From the lowest; folders of one layer do not see each other.</summary>
    private static readonly string[][] Order =
    [
        ["Obs"], ["Runtime"], ["Transport", "TlsStore"], ["Policy", "Cache", "Plugin", "Health", "Discovery"], ["Proxy"], ["Server"],
    ];

    /// <summary>What the control plane and the executables may call. To add one is to widen a border: say why in the commit.</summary>
    private static readonly string[] PublicTypes =
    [
        "Gateway.DataPlane.Obs.DurationHistogram",
        "Gateway.DataPlane.Obs.GatewayMetrics",
        "Gateway.DataPlane.Obs.MetricFamily",
        "Gateway.DataPlane.Runtime.GatewaySnapshot",
        "Gateway.DataPlane.Server.BreakerEvent",
        "Gateway.DataPlane.Server.BreakerStatus",
        "Gateway.DataPlane.Server.CanaryPlan",
        "Gateway.DataPlane.Server.CanaryReading",
        "Gateway.DataPlane.Server.CompileResult",
        "Gateway.DataPlane.Server.ConcurrencyStatus",
        "Gateway.DataPlane.Server.DataPlaneHost",
        "Gateway.DataPlane.Server.DataPlaneOptions",
        "Gateway.DataPlane.Server.EndpointStatus",
        "Gateway.DataPlane.Server.ExplainQuery",
        "Gateway.DataPlane.Server.ExplainedFilter",
        "Gateway.DataPlane.Server.ExplainedLimits",
        "Gateway.DataPlane.Server.ExplainedRate",
        "Gateway.DataPlane.Server.ExplainedVariant",
        "Gateway.DataPlane.Server.Explanation",
        "Gateway.DataPlane.Server.HealthChange",
        "Gateway.DataPlane.Server.KestrelServices",
        "Gateway.DataPlane.Server.ListenerDifference",
        "Gateway.DataPlane.Server.ListenerStatus",
        "Gateway.DataPlane.Server.OutcomeChange",
        "Gateway.DataPlane.Server.PoolStatus",
        "Gateway.DataPlane.Server.ProbeStatus",
        "Gateway.DataPlane.Server.ReplayExample",
        "Gateway.DataPlane.Server.ReplayReport",
        "Gateway.DataPlane.Server.RetryBudgetStatus",
        "Gateway.DataPlane.Server.RouteOutcome",
        "Gateway.DataPlane.Server.RouteStatus",
        "Gateway.DataPlane.Server.SettingDifference",
        "Gateway.DataPlane.Server.SnapshotDifference",
        "Gateway.DataPlane.Server.StopReport",
        "Gateway.DataPlane.Server.TransportKind",
        "Gateway.DataPlane.Server.UndecidedOutcome",
    ];

    private static readonly Assembly DataPlane = typeof(DataPlaneHost).Assembly;
    private static readonly Assembly Core = typeof(IRouteRequest).Assembly;
    private static readonly IReadOnlySet<TypeUse> DataPlaneUses = CompiledReferences.Read(DataPlane);

    [Fact]
    public void DataPlaneFolders_SeeOnlyTheFoldersBelowThem() =>
        Assert.Empty(Layers.Violations(DataPlaneUses, "Gateway.DataPlane", Order));

    [Fact]
    public void Features_DoNotSeeEachOther() =>
        Assert.Empty(Layers.SiblingUses(DataPlaneUses, "Gateway.DataPlane.Policy"));

    [Fact]
    public void CoreFolders_DoNotSeeEachOther() =>
        Assert.Empty(Layers.SiblingUses(CompiledReferences.Read(Core), "Gateway.Core"));

    [Fact]
    public void Proxy_TouchesNoConfigType() =>
        Assert.DoesNotContain(DataPlaneUses, u => u.From.StartsWith("Gateway.DataPlane.Proxy.", StringComparison.Ordinal) && IsConfig(u.To));

    [Fact]
    public void Filters_TouchNoConfigTypeWhenTheyRun() =>
        Assert.DoesNotContain(FilterUses(DataPlaneUses, DataPlane, typeof(IRequestFilter)), u => IsConfig(u.To));

    [Fact]
    public void DataPlane_ShowsOnlyTheListedTypes() =>
        Assert.Equal(PublicTypes, DataPlane.GetExportedTypes().Select(t => t.FullName!).Order(StringComparer.Ordinal));

    [Fact]
    public void DataPlane_SeesOfOursOnlyCoreConfigAndPlugin() =>
        Assert.Subset(
            new HashSet<string> { "Gateway.Core", "Gateway.Config", "Gateway.Plugin" },
            DataPlane.GetReferencedAssemblies().Select(a => a.Name!).Where(name => name.StartsWith("Gateway.", StringComparison.Ordinal)).ToHashSet());

    [Fact]
    public void Core_ReferencesOnlyTheBaseLibrary() =>
        Assert.DoesNotContain(Core.GetReferencedAssemblies(), a => !a.Name!.StartsWith("System.", StringComparison.Ordinal));

    [Fact]
    public void Config_ReferencesOnlyTheBaseLibrary() =>
        Assert.DoesNotContain(typeof(GatewayConfig).Assembly.GetReferencedAssemblies(), a => !a.Name!.StartsWith("System.", StringComparison.Ordinal));

    [Fact]
    public void Internals_AreOpenOnlyToOwnTestsAndBenchmarks()
    {
        IEnumerable<string> friends = DataPlane.GetCustomAttributes<InternalsVisibleToAttribute>()
            .Concat(Core.GetCustomAttributes<InternalsVisibleToAttribute>()).Select(a => a.AssemblyName);
        Assert.DoesNotContain(friends, name => !name.EndsWith(".Tests", StringComparison.Ordinal) && !name.StartsWith("Gateway.Bench.", StringComparison.Ordinal));
    }

    [Fact]
    public void TypesThatAreNotAbstract_AreSealed() =>
        Assert.Empty(DataPlane.GetTypes()
            .Where(t => t is { IsClass: true, IsAbstract: false, IsSealed: false, IsNested: false } && t.Namespace?.StartsWith("Gateway.", StringComparison.Ordinal) == true)
            .Select(t => t.FullName));

    /// <summary>What filters use in the members that run for a request: everything but constructors and static members.</summary>
    internal static IEnumerable<TypeUse> FilterUses(IEnumerable<TypeUse> uses, Assembly assembly, Type filterInterface)
    {
        Dictionary<string, HashSet<string>> compiled = assembly.GetTypes().Where(t => t.IsClass && filterInterface.IsAssignableFrom(t)).ToDictionary(
            t => t.FullName!,
            t => t.GetMembers(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.DeclaredOnly)
                .Where(m => m is not ConstructorInfo and not FieldInfo).Select(m => m.Name).ToHashSet());
        return uses.Where(u => compiled.TryGetValue(u.From, out HashSet<string>? members) && members.Contains(u.Member));
    }

    internal static bool IsConfig(string type) => type.StartsWith("Gateway.Config.", StringComparison.Ordinal) && type.EndsWith("Config", StringComparison.Ordinal);
}
