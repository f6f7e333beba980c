using System.Reflection;
using Gateway.Config.Shapes;

namespace Gateway.Config.Layers;

internal enum SectionKind
{
    /// <summary>A list of objects with unique names.</summary>
    List,

    /// <summary>An object of objects by name.</summary>
    Map,

    /// <summary>One object, taken whole.</summary>
    Whole,
}

/// <summary>The fields of a document that hold configuration, in the order of declaration, and how each is merged. Found by reflection, so that none can be forgotten.</summary>
internal sealed class ConfigSection
{
    private readonly FieldShape<GatewayConfig> _field;

    private ConfigSection(PropertyInfo property, SectionKind kind)
    {
        _field = ConfigShapes.Root.Field(property.Name);
        Name = _field.Name;
        Kind = kind;
    }

    public static readonly IReadOnlyList<ConfigSection> All =
    [
        .. typeof(GatewayConfig).GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(static p => p.SetMethod is not null && p.Name is not (nameof(GatewayConfig.Version) or nameof(GatewayConfig.Schema) or nameof(GatewayConfig.Merge) or nameof(GatewayConfig.Overridable)))
            .OrderBy(static p => p.MetadataToken)
            .Select(static p => new ConfigSection(p, KindOf(p.PropertyType))),
    ];

    public string Name { get; }

    public SectionKind Kind { get; }

    /// <summary>Two documents say the same in it.</summary>
    public bool Same(GatewayConfig a, GatewayConfig b) => _field.Same(a, b);

    /// <summary>The names of a list's items, in order, and whether a higher layer may have one of that name.</summary>
    public IReadOnlyList<(string Name, bool Overridable)> Items(GatewayConfig config) => Name switch
    {
        "listeners" => [.. config.Listeners.Select(static l => (l.Name, l.Overridable))],
        "routes" => [.. config.Routes.Select(static r => (r.Name, r.Overridable))],
        _ => throw new InvalidOperationException($"'{Name}' is a list whose items have no name to merge them by."),
    };

    /// <summary>Whether a higher layer may have a map's member of that name.</summary>
    public bool IsOverridable(GatewayConfig config, string name) => Name switch
    {
        "certificates" => config.Certificates[name].Overridable,
        "pools" => config.Pools[name].Overridable,
        _ => false,
    };

    private static SectionKind KindOf(Type type) =>
        !type.IsGenericType ? SectionKind.Whole
        : type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? SectionKind.List
        : type.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>) ? SectionKind.Map : SectionKind.Whole;
}
