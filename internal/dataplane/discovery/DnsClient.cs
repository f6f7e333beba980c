using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Gateway.Core.Dns;

namespace Gateway.DataPlane.Discovery;

/// <summary>Asks one question of one server: by a datagram, and over a connection when the answer does not fit into one. Stateless.</summary>
/// <param name="timeout">For each of the two.</param>
internal sealed class DnsClient(TimeSpan timeout)
{
    // RFC 1035 section 4.2.1: without extensions a datagram has 512 bytes at most; some servers send more all the same.
    private const int MaxDatagram = 4096;

    /// <returns>The status, <see cref="DnsStatus.Refused"/> too when the server cannot be reached or does not answer in time, with the reason.</returns>
    public async Task<(DnsStatus Status, DnsAnswer Answer, string Failure)> AskAsync(IPEndPoint server, string name, DnsType type, CancellationToken stop)
    {
        byte[] question = new byte[DnsQuery.MaxLength];
        // Not to be guessed by who would like to answer in the server's place; the port is the kernel's and as hard to guess.
        ushort id = (ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue + 1);
        int length = DnsQuery.Write(question, id, name, type);
        if (length == 0) return (DnsStatus.Refused, DnsAnswer.Empty, $"{name} is no name that can be asked for");
        try
        {
            (DnsStatus status, DnsAnswer answer) = await WithinAsync(token => ByDatagramAsync(server, question.AsMemory(0, length), id, name, type, token), stop);
            if (status == DnsStatus.Truncated) (status, answer) = await WithinAsync(token => OverStreamAsync(server, question.AsMemory(0, length), id, name, type, token), stop);
            return (status, answer, status switch
            {
                DnsStatus.Answer => "",
                DnsStatus.NoSuchName => $"{server} knows no {name}",
                DnsStatus.Refused => $"{server} could not answer for {name}",
                _ => $"{server} sent a bad answer for {name}",
            });
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return (DnsStatus.Refused, DnsAnswer.Empty, $"{server} did not answer for {name} in time");
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return (DnsStatus.Refused, DnsAnswer.Empty, $"{server} cannot be asked for {name}: {e.Message}");
        }
    }

    private async Task<(DnsStatus, DnsAnswer)> WithinAsync(Func<CancellationToken, Task<(DnsStatus, DnsAnswer)>> ask, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(timeout);
        return await ask(limit.Token);
    }

    private static async Task<(DnsStatus, DnsAnswer)> ByDatagramAsync(
        IPEndPoint server, ReadOnlyMemory<byte> question, ushort id, string name, DnsType type, CancellationToken token)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        // Connected, so that the kernel drops what others send.
        await socket.ConnectAsync(server, token);
        await socket.SendAsync(question, SocketFlags.None, token);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(MaxDatagram);
        try
        {
            while (true)
            {
                int received = await socket.ReceiveAsync(buffer.AsMemory(), SocketFlags.None, token);
                DnsStatus status = DnsResponse.Parse(buffer.AsSpan(0, received), id, name, type, out DnsAnswer answer);
                if (status != DnsStatus.NotTheAnswer) return (status, answer);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<(DnsStatus, DnsAnswer)> OverStreamAsync(
        IPEndPoint server, ReadOnlyMemory<byte> question, ushort id, string name, DnsType type, CancellationToken token)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server, token);
        using var stream = new NetworkStream(socket);
        byte[] framed = new byte[2 + question.Length];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)question.Length);
        question.CopyTo(framed.AsMemory(2));
        await stream.WriteAsync(framed, token);
        byte[] length = new byte[2];
        await stream.ReadExactlyAsync(length, token);
        byte[] message = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(message, token);
        DnsStatus status = DnsResponse.Parse(message, id, name, type, out DnsAnswer answer);
        return (status, answer);
    }
}
