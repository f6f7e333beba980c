using System.CommandLine;
using System.Globalization;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class SnapshotCommand
{
    public static Command Create()
    {
        var command = new Command("snapshot", "Show what is live");
        command.SetBody(async (_, session, cancellationToken) =>
        {
            Output output = session.Output;
            Snapshot snapshot = await session.Client.GetSnapshotAsync(cancellationToken);
            if (output.Json(snapshot, ClientJson.Default.Snapshot)) return;
            output.Warn(snapshot.Warnings);
            output.Line($"version   {snapshot.Version}");
            output.Line($"source    {snapshot.Source}, by {snapshot.Actor}");
            output.Line($"applied   {Output.Time(snapshot.AppliedAt)}");
            output.Line($"routes    {snapshot.Routes}");
            output.Line($"pools     {snapshot.Pools}");
            output.Line($"retired   {snapshot.RetiredSnapshots}");
            if (snapshot.Layers is [_, _, ..]) PrintLayers(output, snapshot.Layers);
            if (snapshot.Pull is { } pull) PrintPull(output, pull);
            output.Line("");
            output.Table(
                ["LISTENER", "ADDRESS", "BOUND", "TLS", "#CONNECTIONS"],
                snapshot.Listeners.Select(l => new[]
                {
                    l.Name, l.Address, l.BoundAddress, l.Tls ? "yes" : "no", l.Connections.ToString(CultureInfo.InvariantCulture),
                }));
        });
        return command;
    }

    private static void PrintLayers(Output output, IReadOnlyList<Layer> layers)
    {
        foreach (Layer layer in layers.Reverse())
            output.Line($"layer     {layer.Source} ({layer.Priority}, {layer.Merge}{(layer.Covered ? ", covered" : "")}), by {layer.Actor}, {Output.Time(layer.At)}");
    }

    private static void PrintPull(Output output, PullState pull)
    {
        output.Line($"pull      {pull.Url}: {(pull.LastSuccess is { } success ? $"last success {Output.Time(success)}" : "no success yet")}{(pull.NextTry is { } next ? $", next try {Output.Time(next)}" : ", asking now")}");
        if (pull.LastError is not null) output.Line($"          {(pull.Failures > 0 ? $"failing ({pull.Failures})" : "last failure")} {Output.Time(pull.LastErrorAt!.Value)}: {pull.LastError}");
        if (pull.Refused is { } refused) output.Line($"          bundle {refused.Sequence} was refused {Output.Time(refused.At)}: {refused.Code}: {refused.Reason}");
    }
}
