using System.Buffers.Binary;
using System.Net;

namespace Gateway.Core.Dns;

/// <summary>
/// Reads answers strictly: a message that breaks the format anywhere is of no use. Pure; never throws, and looks at each byte but a few
/// times, so that a hostile message costs no more than a good one.
/// </summary>
public static class DnsResponse
{
    // Aliases of aliases; more is a loop or nonsense (BIND's limit is 16 as well).
    private const int MaxAliases = 16;

    private readonly record struct DnsRecord(string Owner, DnsType Type, uint Ttl, string Name, IPAddress? Address, DnsService Service);

    /// <param name="message">One datagram, or one message of a stream without its length.</param>
    /// <param name="id">The question's.</param>
    /// <param name="name">The question's.</param>
    /// <param name="type">The question's.</param>
    /// <param name="answer">Empty unless the status is <see cref="DnsStatus.Answer"/>.</param>
    public static DnsStatus Parse(ReadOnlySpan<byte> message, ushort id, string name, DnsType type, out DnsAnswer answer)
    {
        answer = DnsAnswer.Empty;
        // A response to a standard query with our id; the rest of the flags may be what they like.
        if (message.Length < 12 || BinaryPrimitives.ReadUInt16BigEndian(message) != id || (message[2] & 0xf8) != 0x80) return DnsStatus.NotTheAnswer;
        int questions = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        int position = 12;
        if (questions != 1 || !DnsName.TryRead(message, ref position, out string asked) || position + 4 > message.Length) return DnsStatus.Malformed;
        bool same = asked.Equals(name.TrimEnd('.'), StringComparison.OrdinalIgnoreCase)
            && BinaryPrimitives.ReadUInt16BigEndian(message[position..]) == (ushort)type && BinaryPrimitives.ReadUInt16BigEndian(message[(position + 2)..]) == 1;
        if (!same) return DnsStatus.NotTheAnswer;
        position += 4;
        if ((message[2] & 2) != 0) return DnsStatus.Truncated;
        switch (message[3] & 0xf)
        {
            case 0: break;
            case 3: return DnsStatus.NoSuchName;
            default: return DnsStatus.Refused;
        }
        if (!TryReadRecords(message, ref position, BinaryPrimitives.ReadUInt16BigEndian(message[6..]), out List<DnsRecord> answers)
            || !TryReadRecords(message, ref position, BinaryPrimitives.ReadUInt16BigEndian(message[8..]), out _)
            || !TryReadRecords(message, ref position, BinaryPrimitives.ReadUInt16BigEndian(message[10..]), out List<DnsRecord> added)) return DnsStatus.Malformed;
        answer = Follow(asked, type, answers, added);
        return DnsStatus.Answer;
    }

    private static bool TryReadRecords(ReadOnlySpan<byte> message, ref int position, int count, out List<DnsRecord> records)
    {
        records = [];
        for (int i = 0; i < count; i++)
        {
            if (!DnsName.TryRead(message, ref position, out string owner) || position + 10 > message.Length) return false;
            var type = (DnsType)BinaryPrimitives.ReadUInt16BigEndian(message[position..]);
            int @class = BinaryPrimitives.ReadUInt16BigEndian(message[(position + 2)..]);
            uint ttl = BinaryPrimitives.ReadUInt32BigEndian(message[(position + 4)..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(message[(position + 8)..]);
            position += 10;
            if (position + length > message.Length) return false;
            // RFC 2181 section 8: a time to live with the top bit set is none.
            if (ttl > int.MaxValue) ttl = 0;
            if (@class == 1)
            {
                if (!TryReadData(message, position, length, type, out DnsRecord record)) return false;
                if (record.Type != 0) records.Add(record with { Owner = owner, Ttl = ttl });
            }
            position += length;
        }
        return true;
    }

    /// <summary>Type 0 for a type that is none of ours.</summary>
    private static bool TryReadData(ReadOnlySpan<byte> message, int position, int length, DnsType type, out DnsRecord record)
    {
        record = default;
        int end = position + length;
        switch (type)
        {
            case DnsType.A or DnsType.Aaaa:
                if (length != (type == DnsType.A ? 4 : 16)) return false;
                record = new DnsRecord("", type, 0, "", new IPAddress(message.Slice(position, length)), default);
                return true;
            case DnsType.Cname:
                if (!DnsName.TryRead(message, ref position, out string alias) || position != end) return false;
                record = new DnsRecord("", type, 0, alias, null, default);
                return true;
            case DnsType.Srv:
                if (length < 7) return false;
                ReadOnlySpan<byte> numbers = message.Slice(position, 6);
                position += 6;
                if (!DnsName.TryRead(message, ref position, out string target) || position != end) return false;
                record = new DnsRecord("", type, 0, "", null, new DnsService(
                    BinaryPrimitives.ReadUInt16BigEndian(numbers), BinaryPrimitives.ReadUInt16BigEndian(numbers[2..]), BinaryPrimitives.ReadUInt16BigEndian(numbers[4..]), target));
                return true;
            default:
                return true;
        }
    }

    private static DnsAnswer Follow(string name, DnsType type, List<DnsRecord> answers, List<DnsRecord> added)
    {
        uint ttl = uint.MaxValue;
        for (int i = 0; i < MaxAliases; i++)
        {
            int alias = answers.FindIndex(r => r.Type == DnsType.Cname && r.Owner == name);
            if (alias < 0) break;
            name = answers[alias].Name;
            ttl = Math.Min(ttl, answers[alias].Ttl);
        }
        List<IPAddress> addresses = [];
        List<DnsService> services = [];
        foreach (DnsRecord record in answers)
        {
            if (record.Type != type || record.Owner != name) continue;
            ttl = Math.Min(ttl, record.Ttl);
            if (record.Address is { } address) addresses.Add(address);
            else services.Add(record.Service);
        }
        List<(string, IPAddress)> hints = [];
        foreach (DnsRecord record in added)
        {
            if (record.Address is { } address) hints.Add((record.Owner, address));
        }
        return new DnsAnswer(addresses, services, hints, TimeSpan.FromSeconds(ttl == uint.MaxValue ? 0 : ttl));
    }
}
