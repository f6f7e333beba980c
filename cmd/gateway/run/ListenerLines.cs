using Gateway.DataPlane.Server;

namespace Gateway.Command.Run;

/// <summary>
/// Says on stdout where the gateway listens, a line for each listener when it has been bound, at start and by a later apply:
/// <c>listening NAME http://ADDRESS:PORT</c>, with the real port. Not thread safe: the apply queue calls.
/// </summary>
internal sealed class ListenerLines(DataPlaneHost host)
{
    private Dictionary<string, string> _said = [];

    public void WriteNew()
    {
        Dictionary<string, string> now = [];
        foreach (ListenerStatus listener in host.Listeners())
        {
            string scheme = listener.Tls ? "https" : "http";
            string where = listener.BoundAddress.StartsWith("unix:", StringComparison.Ordinal) ? listener.BoundAddress : $"{scheme}://{listener.BoundAddress}";
            now.Add(listener.Name, where);
            if (_said.GetValueOrDefault(listener.Name) != where) Console.Out.WriteLine($"listening {listener.Name} {where}");
        }
        _said = now;
        Console.Out.Flush();
    }
}
