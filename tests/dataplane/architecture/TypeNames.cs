using System.Collections.Immutable;
using System.Reflection.Metadata;

namespace Gateway.DataPlane.Tests.Architecture;

/// <summary>Reports the outermost type of every type in a signature.</summary>
internal sealed class TypeNames(Action<string> report) : ISignatureTypeProvider<int, object?>
{
    public static string Outermost(MetadataReader metadata, TypeDefinitionHandle handle)
    {
        TypeDefinition type = metadata.GetTypeDefinition(handle);
        for (TypeDefinitionHandle outer; !(outer = type.GetDeclaringType()).IsNil;) type = metadata.GetTypeDefinition(outer);
        return FullName(metadata.GetString(type.Namespace), metadata.GetString(type.Name));
    }

    public int GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind)
    {
        report(Outermost(reader, handle));
        return 0;
    }

    public int GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind)
    {
        TypeReference type = reader.GetTypeReference(handle);
        while (type.ResolutionScope.Kind == HandleKind.TypeReference) type = reader.GetTypeReference((TypeReferenceHandle)type.ResolutionScope);
        report(FullName(reader.GetString(type.Namespace), reader.GetString(type.Name)));
        return 0;
    }

    public int GetTypeFromSpecification(MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind) =>
        reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);

    // The parts of a composed type have been reported when these are called.
    public int GetArrayType(int elementType, ArrayShape shape) => 0;
    public int GetByReferenceType(int elementType) => 0;
    public int GetFunctionPointerType(MethodSignature<int> signature) => 0;
    public int GetGenericInstantiation(int genericType, ImmutableArray<int> typeArguments) => 0;
    public int GetGenericMethodParameter(object? genericContext, int index) => 0;
    public int GetGenericTypeParameter(object? genericContext, int index) => 0;
    public int GetModifiedType(int modifier, int unmodifiedType, bool isRequired) => 0;
    public int GetPinnedType(int elementType) => 0;
    public int GetPointerType(int elementType) => 0;
    public int GetPrimitiveType(PrimitiveTypeCode typeCode) => 0;
    public int GetSZArrayType(int elementType) => 0;

    private static string FullName(string space, string name) => space.Length == 0 ? name : $"{space}.{name}";
}
