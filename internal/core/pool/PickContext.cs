namespace Gateway.Core.Pool;

/// <summary>What a pick depends on besides the members.</summary>
/// <param name="Excluded">Bit i set: member i was tried already for this request. Only the first 64 members can be excluded.</param>
/// <param name="Hash">Hash of what the request is kept to a member by; used by the hashing balancers alone.</param>
public readonly record struct PickContext(ulong Excluded, ulong Hash = 0);
