using System.Net;

namespace Gateway.Core.Dns;

/// <summary>The types that are asked for (RFC 1035, 3596, 2782).</summary>
public enum DnsType : ushort
{
    A = 1,
    Cname = 5,
    Aaaa = 28,
    Srv = 33,
}

/// <summary>What a message is to a question.</summary>
public enum DnsStatus
{
    /// <summary>The answer; it may be empty.</summary>
    Answer,

    /// <summary>The name does not exist (RCODE 3).</summary>
    NoSuchName,

    /// <summary>The server could not or would not answer (another RCODE).</summary>
    Refused,

    /// <summary>The answer did not fit; it is to be had over TCP.</summary>
    Truncated,

    /// <summary>Something else: another question's answer, or none. To be passed over, as anyone may send datagrams.</summary>
    NotTheAnswer,

    /// <summary>It has the question's id and breaks the rules of the format.</summary>
    Malformed,
}

/// <summary>A place where a service is offered (RFC 2782).</summary>
/// <param name="Target">Lower-case, without the dot at its end; empty when the service is decidedly not offered.</param>
public readonly record struct DnsService(int Priority, int Weight, int Port, string Target);

/// <summary>What a message answers to one question.</summary>
/// <param name="Addresses">Of the name, at the end of its aliases.</param>
/// <param name="Services">Of the name, for a question of type SRV.</param>
/// <param name="Hints">Addresses of other names that the server added.</param>
/// <param name="Ttl">The least of the records that the answer rests on; zero for none.</param>
public sealed record DnsAnswer(
    IReadOnlyList<IPAddress> Addresses, IReadOnlyList<DnsService> Services, IReadOnlyList<(string Name, IPAddress Address)> Hints, TimeSpan Ttl)
{
    public static readonly DnsAnswer Empty = new([], [], [], TimeSpan.Zero);
}
