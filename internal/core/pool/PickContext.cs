namespace Gateway.Core.Pool;

/// <summary>What a pick depends on besides the members.</summary>
/// <param name="Excluded">Members that were tried already for this request.</param>
/// <param name="Hash">Hash of what the request is kept to a member by; used by the hashing balancers alone.</param>
public readonly record struct PickContext(MemberSet Excluded, ulong Hash = 0);
