using System.Collections.Concurrent;
using System.Reflection;

namespace Gateway.Config.Shapes;

/// <summary>The shapes of all types that a document is made of. Made on first use, in about the time that the first document takes to read.</summary>
internal static class ConfigShapes
{
    private static readonly ConcurrentDictionary<Type, ValueShape> Shapes = new();

    public static readonly RecordShape<GatewayConfig> Root = new();

    public static ValueShape For(Type type, RangeAttribute? range)
    {
        if (Nullable.GetUnderlyingType(type) is { } lifted)
            return (ValueShape)Activator.CreateInstance(typeof(NullableShape<>).MakeGenericType(lifted), For(lifted, range))!;
        if (type == typeof(int)) return new IntegerShape(range);
        if (type == typeof(TimeSpan)) return new DurationShape(range);
        if (type == typeof(ByteSize)) return new SizeShape(range);
        return range is null
            ? Shapes.GetOrAdd(type, Make)
            : throw new InvalidOperationException($"A range on {type.Name} has no meaning.");
    }

    private static ValueShape Make(Type type)
    {
        if (type == typeof(string)) return new TextShape();
        if (type == typeof(bool)) return new BooleanShape();
        if (type == typeof(double)) return new NumberShape();
        if (type == typeof(Secret)) return new SecretShape();
        if (type == typeof(RequestKey)) return new RequestKeyShape();
        if (type.IsEnum) return (ValueShape)Activator.CreateInstance(typeof(EnumShape<>).MakeGenericType(type))!;
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
            return OfItems(typeof(ListShape<>), type.GetGenericArguments()[0]);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>))
            return OfItems(typeof(MapShape<>), type.GetGenericArguments()[1]);
        return type.IsClass && type.Assembly == typeof(ConfigShapes).Assembly
            ? (ValueShape)typeof(ConfigShapes).GetMethod(nameof(OfRecord), BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(type).Invoke(null, null)!
            : throw new InvalidOperationException($"A document cannot hold a {type.Name}.");
    }

    private static ValueShape OfRecord<T>() where T : class
    {
        var record = new RecordShape<T>();
        return typeof(T).GetCustomAttribute<ShorthandAttribute>() is { } shorthand ? new ShorthandShape<T>(record, record.Field(shorthand.Property)) : record;
    }

    private static ValueShape OfItems(Type shape, Type item) =>
        (ValueShape)Activator.CreateInstance(shape.MakeGenericType(item), For(item, null))!;

    /// <summary>The name in a document of a property or an enum member.</summary>
    public static string FieldName(MemberInfo member) =>
        member.GetCustomAttribute<JsonNameAttribute>()?.Name ?? char.ToLowerInvariant(member.Name[0]) + member.Name[1..];

    /// <summary>The name of a type in the schema's definitions.</summary>
    public static string DefinitionName(Type type)
    {
        string name = type.Name.EndsWith("Config", StringComparison.Ordinal) ? type.Name[..^6] : type.Name;
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
