using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

/// <summary>What others may build against changes only on purpose: the golden file shows how.</summary>
public sealed class PublicApiTests
{
    private static readonly NullabilityInfoContext Nullability = new();

    public static TheoryData<string> Assemblies() => ["Gateway.Bundle", "Gateway.Config", "Gateway.Client", "Gateway.Plugin"];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void PublicApi_IsTheCommittedOne(string assembly) =>
        Golden.Matches(Path.Combine(Golden.Folder("api"), assembly + ".txt"), Dump(Assembly.Load(assembly)));

    private static string Dump(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (Type type in assembly.GetExportedTypes().OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            text.Append(Kind(type)).Append(' ').Append(Name(type)).AppendJoin("", Bases(type)).Append('\n');
            foreach (string member in Members(type).Order(StringComparer.Ordinal)) text.Append("    ").Append(member).Append('\n');
        }
        return text.ToString();
    }

    private static string Kind(Type type) =>
        type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct" : typeof(Delegate).IsAssignableFrom(type) ? "delegate"
        : type is { IsAbstract: true, IsSealed: true } ? "static class" : type.IsAbstract ? "abstract class" : type.IsSealed ? "sealed class" : "class";

    private static IEnumerable<string> Bases(Type type)
    {
        IEnumerable<Type> bases = type.GetInterfaces().Where(i => i.IsVisible && !IsRecordMade(i, type)).OrderBy(i => i.FullName, StringComparer.Ordinal);
        if (type is { IsEnum: false, IsValueType: false, BaseType: { } parent } && parent != typeof(object)) bases = bases.Prepend(parent);
        return type.IsEnum ? [] : bases.Select((b, i) => (i == 0 ? " : " : ", ") + Name(b));
    }

    private static bool IsRecordMade(Type contract, Type type) => contract.IsGenericType && contract.GetGenericTypeDefinition() == typeof(IEquatable<>) && contract.GetGenericArguments()[0] == type;

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            foreach (FieldInfo value in type.GetFields(BindingFlags.Public | BindingFlags.Static)) yield return $"{value.Name} = {Convert.ToInt64(value.GetRawConstantValue(), null)}";
            yield break;
        }
        const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        foreach (ConstructorInfo constructor in type.GetConstructors(Declared))
            if (IsSeen(constructor)) yield return $"{Access(constructor)}.ctor({Parameters(constructor)})";
        foreach (FieldInfo field in type.GetFields(Declared))
            if (field.IsPublic || field.IsFamily) yield return field.IsLiteral ? $"const {Name(field.FieldType)} {field.Name} = {field.GetRawConstantValue()}" : $"{(field.IsStatic ? "static " : "")}{Name(field.FieldType)} {field.Name}";
        foreach (PropertyInfo property in type.GetProperties(Declared))
        {
            if (property.Name == "EqualityContract" || (property.GetMethod ?? property.SetMethod) is not { } method || !IsSeen(method)) continue;
            bool isInit = property.SetMethod?.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) == true;
            string accessors = (property.GetMethod is null ? "" : "get; ") + (property.SetMethod is { } set && IsSeen(set) ? isInit ? "init; " : "set; " : "");
            bool isNullable = !property.PropertyType.IsValueType && Nullability.Create(property).ReadState == NullabilityState.Nullable;
            yield return $"{Access(method)}{(property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "")}{Name(property.PropertyType)}{(isNullable ? "?" : "")} {property.Name} {{ {accessors}}}";
        }
        foreach (EventInfo happening in type.GetEvents(Declared)) yield return $"event {Name(happening.EventHandlerType!)} {happening.Name}";
        foreach (MethodInfo method in type.GetMethods(Declared))
        {
            // What the compiler makes for a record is part of its being one.
            if (!IsSeen(method) || method.IsSpecialName || method.IsDefined(typeof(CompilerGeneratedAttribute)) || method.Name is "<Clone>$" or "PrintMembers" or "ToString" or "GetHashCode" or "Equals" or "Deconstruct") continue;
            string generic = method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";
            yield return $"{Access(method)}{Name(method.ReturnType)} {method.Name}{generic}({Parameters(method)})";
        }
    }

    private static bool IsSeen(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Access(MethodBase method) =>
        (method.IsPublic ? "" : "protected ") + (method.IsStatic ? "static " : method is { IsAbstract: true } && method.DeclaringType?.IsInterface == false ? "abstract " : "");

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p =>
    {
        bool isNullable = !p.ParameterType.IsValueType && !p.ParameterType.IsByRef && Nullability.Create(p).ReadState == NullabilityState.Nullable;
        return $"{(p.IsOut ? "out " : p.ParameterType.IsByRef ? "ref " : "")}{Name(p.ParameterType)}{(isNullable ? "?" : "")} {p.Name}{(p.HasDefaultValue ? $" = {p.RawDefaultValue ?? "null"}" : "")}";
    }));

    private static string Name(Type type)
    {
        if (type.IsByRef || type.IsArray) return Name(type.GetElementType()!) + (type.IsArray ? "[]" : "");
        if (Nullable.GetUnderlyingType(type) is { } inner) return Name(inner) + "?";
        if (type.IsGenericParameter) return type.Name;
        string name = (type.Namespace?.StartsWith("Gateway", StringComparison.Ordinal) == true ? type.FullName ?? type.Name : type.Name).Split('`')[0].Replace('+', '.');
        return type.IsGenericType ? $"{name}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>" : name;
    }
}
