using System.Buffers.Text;
using System.Text;
using Gateway.Core.Http1;
using Gateway.DataPlane.Proxy.Http1;

namespace Gateway.DataPlane.Proxy.Direct;

/// <summary>A response that came whole from an upstream on the loops: its end-to-end fields go on as the bytes that they are.</summary>
internal sealed partial class DirectResponse
{
    // "Via: 1.1 gateway" and its line end.
    private const int ViaField = 18;

    /// <summary>Writes head and body; nothing is sent yet.</summary>
    /// <param name="of">With its head just parsed, which names no fields in Connection.</param>
    /// <param name="bytes">Those of the head.</param>
    public void WriteWhole(Http1Response of, ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> body)
    {
        StatusCode = of.Head.Status;
        KeepsAlive &= !CloseRequested.IsCancellationRequested;
        byte[] line = StatusLine(StatusCode);
        // A field with nothing between colon and value grows by a space.
        Span<byte> to = Output.GetSpan(line.Length + bytes.Length + of.Head.FieldCount + OwnFields + ViaField + body.Length);
        int at = 0;
        Put(to, ref at, line);
        bool hasDate = false;
        foreach (ref readonly HeaderField field in of.Fields)
        {
            if (field.Kind is not (FieldKind.Other or FieldKind.Trailer)) continue;
            ReadOnlySpan<byte> name = field.Name(bytes);
            if (EndsHere(name)) continue;
            hasDate |= name.Length == 4 && Ascii.EqualsIgnoreCase(name, "date"u8);
            if (field.ValueStart == field.NameStart + field.NameLength + 2 && bytes[field.ValueStart - 1] == ' ') Put(to, ref at, bytes[field.NameStart..(field.ValueStart + field.ValueLength)]);
            else
            {
                Put(to, ref at, name);
                Put(to, ref at, ": "u8);
                Put(to, ref at, field.Value(bytes));
            }
            Put(to, ref at, "\r\n"u8);
        }
        Put(to, ref at, of.Head.MinorVersion == 0 ? "Via: 1.0 gateway\r\n"u8 : "Via: 1.1 gateway\r\n"u8);
        if (!hasDate) Put(to, ref at, Date());
        Put(to, ref at, "Content-Length: "u8);
        _ = Utf8Formatter.TryFormat(body.Length, to[at..], out int digits);
        at += digits;
        Put(to, ref at, KeepsAlive ? "\r\n\r\n"u8 : "\r\nConnection: close\r\n\r\n"u8);
        Put(to, ref at, body);
        Output.Advance(at);
        _promised = body.Length;
        _body.BeginWritten(body.Length, Output);
        HasStarted = true;
    }

    // Most of what ends here the parser knows; the rest begins with one of two letters.
    private static bool EndsHere(ReadOnlySpan<byte> name) => (name[0] | 0x20) is 'p' or 'h' && IsHopByHop(name);

    private static bool IsHopByHop(ReadOnlySpan<byte> name)
    {
        _ = HeaderText.OfThread.OfName(name, out bool endsHere, out _);
        return endsHere;
    }
}
