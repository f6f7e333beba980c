using System.Text;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>Writes a request head into a buffer that grows. The strings hold bytes as Latin-1, checked by the server that parsed them.</summary>
internal struct Http1HeadSink(byte[] buffer) : IHeaderSink
{
    public byte[] Buffer { get; private set; } = buffer;
    public int Length { get; private set; }

    public void Add(string name, string value) => Add(name, value.AsSpan());

    public void Add(string name, scoped ReadOnlySpan<char> value)
    {
        Ensure(name.Length + value.Length + 4);
        Put(name);
        Put(": "u8);
        Put(value);
        Put("\r\n"u8);
    }

    public void Add(scoped ReadOnlySpan<byte> name, string value)
    {
        Ensure(name.Length + value.Length + 4);
        Put(name);
        Put(": "u8);
        Put(value);
        Put("\r\n"u8);
    }

    public void Add(scoped ReadOnlySpan<byte> name, in RequestId id)
    {
        Ensure(name.Length + id.Length + 4);
        Put(name);
        Put(": "u8);
        _ = id.TryFormat(Buffer.AsSpan(Length), out int written);
        Length += written;
        Put("\r\n"u8);
    }

    public void StartLine(string method, string target)
    {
        Ensure(method.Length + target.Length + 12);
        Put(method);
        Put(" "u8);
        Put(target);
        Put(" HTTP/1.1\r\n"u8);
    }

    /// <summary>Bytes as they are; a whole field line with its end, or the end of the head.</summary>
    public void Raw(scoped ReadOnlySpan<byte> bytes)
    {
        Ensure(bytes.Length);
        Put(bytes);
    }

    public void ContentLength(long length)
    {
        Ensure(40);
        Put("Content-Length: "u8);
        _ = length.TryFormat(Buffer.AsSpan(Length), out int written, default, System.Globalization.CultureInfo.InvariantCulture);
        Length += written;
        Put("\r\n"u8);
    }

    private void Put(scoped ReadOnlySpan<char> text) => Length += Encoding.Latin1.GetBytes(text, Buffer.AsSpan(Length));

    private void Put(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Buffer.AsSpan(Length));
        Length += bytes.Length;
    }

    private void Ensure(int more)
    {
        if (Buffer.Length - Length >= more) return;
        byte[] larger = LoopBuffers.Rent(Math.Max(Buffer.Length * 2, Length + more));
        Buffer.AsSpan(0, Length).CopyTo(larger);
        LoopBuffers.Return(Buffer);
        Buffer = larger;
    }
}
