using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Gateway.DataPlane.Tests.Architecture;

/// <summary>A use of one type by another, as compiled.</summary>
/// <param name="From">Full name of the type in the source: closures, iterators and async state machines count as the type that holds them.</param>
/// <param name="Member">The member of the source that uses it, or empty for the declaration itself.</param>
/// <param name="To">Full name of the type that is used, its outermost one for a nested type.</param>
public sealed record TypeUse(string From, string Member, string To);

/// <summary>
/// Every use of a type in an assembly: base types, interfaces, attributes, fields, signatures, local variables, and every instruction of
/// every method body. What does not appear here the assembly does not touch.
/// </summary>
public sealed class CompiledReferences
{
    private static readonly OperandType[] OneByte = new OperandType[256];
    private static readonly OperandType[] TwoBytes = new OperandType[256];

    private readonly MetadataReader _metadata;
    private readonly PEReader _image;
    private readonly TypeNames _names;
    private readonly HashSet<TypeUse> _uses = [];
    private string _from = "";
    private string _member = "";

    static CompiledReferences()
    {
        foreach (FieldInfo field in typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            var code = (OpCode)field.GetValue(null)!;
            ((code.Size == 1) ? OneByte : TwoBytes)[code.Value & 0xff] = code.OperandType;
        }
    }

    private CompiledReferences(PEReader image)
    {
        _image = image;
        _metadata = image.GetMetadataReader();
        _names = new TypeNames(name => _uses.Add(new TypeUse(_from, _member, name)));
    }

    public static IReadOnlySet<TypeUse> Read(Assembly assembly)
    {
        using FileStream file = File.OpenRead(assembly.Location);
        using var image = new PEReader(file);
        var reader = new CompiledReferences(image);
        foreach (TypeDefinitionHandle handle in reader._metadata.TypeDefinitions) reader.ReadType(handle);
        return reader._uses;
    }

    private void ReadType(TypeDefinitionHandle handle)
    {
        TypeDefinition type = _metadata.GetTypeDefinition(handle);
        _from = TypeNames.Outermost(_metadata, handle);
        string generated = SourceMember(_metadata.GetString(type.Name));
        _member = generated;
        Use(type.BaseType);
        foreach (InterfaceImplementationHandle i in type.GetInterfaceImplementations()) Use(_metadata.GetInterfaceImplementation(i).Interface);
        Attributes(type.GetCustomAttributes());
        Constraints(type.GetGenericParameters());
        foreach (FieldDefinitionHandle f in type.GetFields()) _ = _metadata.GetFieldDefinition(f).DecodeSignature(_names, null);
        foreach (MethodDefinitionHandle m in type.GetMethods()) ReadMethod(_metadata.GetMethodDefinition(m), generated);
    }

    private void ReadMethod(MethodDefinition method, string generated)
    {
        string name = _metadata.GetString(method.Name);
        string source = SourceMember(name);
        _member = generated.Length > 0 ? generated : source.Length > 0 ? source : name;
        _ = method.DecodeSignature(_names, null);
        Attributes(method.GetCustomAttributes());
        Constraints(method.GetGenericParameters());
        if (method.RelativeVirtualAddress == 0) return;
        MethodBodyBlock body = _image.GetMethodBody(method.RelativeVirtualAddress);
        if (!body.LocalSignature.IsNil) _ = _metadata.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(_names, null);
        foreach (ExceptionRegion region in body.ExceptionRegions) Use(region.CatchType);
        ReadInstructions(body.GetILReader());
    }

    private void ReadInstructions(BlobReader il)
    {
        while (il.RemainingBytes > 0)
        {
            byte code = il.ReadByte();
            OperandType operand = code == 0xfe ? TwoBytes[il.ReadByte()] : OneByte[code];
            switch (operand)
            {
                case OperandType.InlineNone: break;
                case OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar: il.Offset += 1; break;
                case OperandType.InlineVar: il.Offset += 2; break;
                case OperandType.InlineI8 or OperandType.InlineR: il.Offset += 8; break;
                case OperandType.InlineSwitch:
                    // Read first: a compound assignment would add to the offset from before the count.
                    int targets = il.ReadInt32();
                    il.Offset += 4 * targets;
                    break;
                case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                    Use(MetadataTokens.EntityHandle(il.ReadInt32()));
                    break;
                default: il.Offset += 4; break;
            }
        }
    }

    private void Use(EntityHandle handle)
    {
        if (handle.IsNil) return;
        switch (handle.Kind)
        {
            case HandleKind.TypeDefinition: _ = _names.GetTypeFromDefinition(_metadata, (TypeDefinitionHandle)handle, 0); break;
            case HandleKind.TypeReference: _ = _names.GetTypeFromReference(_metadata, (TypeReferenceHandle)handle, 0); break;
            case HandleKind.TypeSpecification: _ = _metadata.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(_names, null); break;
            case HandleKind.FieldDefinition: Use(_metadata.GetFieldDefinition((FieldDefinitionHandle)handle).GetDeclaringType()); break;
            case HandleKind.MethodDefinition: Use(_metadata.GetMethodDefinition((MethodDefinitionHandle)handle).GetDeclaringType()); break;
            case HandleKind.MemberReference:
                MemberReference member = _metadata.GetMemberReference((MemberReferenceHandle)handle);
                Use(member.Parent);
                if (member.GetKind() == MemberReferenceKind.Method) _ = member.DecodeMethodSignature(_names, null);
                else _ = member.DecodeFieldSignature(_names, null);
                break;
            case HandleKind.MethodSpecification:
                MethodSpecification method = _metadata.GetMethodSpecification((MethodSpecificationHandle)handle);
                Use(method.Method);
                _ = method.DecodeSignature(_names, null);
                break;
            default: break;
        }
    }

    private void Attributes(CustomAttributeHandleCollection attributes)
    {
        foreach (CustomAttributeHandle attribute in attributes) Use(_metadata.GetCustomAttribute(attribute).Constructor);
    }

    private void Constraints(GenericParameterHandleCollection parameters)
    {
        foreach (GenericParameterHandle parameter in parameters)
            foreach (GenericParameterConstraintHandle constraint in _metadata.GetGenericParameter(parameter).GetConstraints())
                Use(_metadata.GetGenericParameterConstraint(constraint).Type);
    }

    /// <summary>The member that the compiler made <paramref name="name"/> for: <c>Run</c> of <c>&lt;Run&gt;d__3</c>; empty for a name of the source's own.</summary>
    private static string SourceMember(string name)
    {
        int end = name.StartsWith('<') ? name.IndexOf('>', StringComparison.Ordinal) : -1;
        return end > 1 ? name[1..end] : "";
    }
}
