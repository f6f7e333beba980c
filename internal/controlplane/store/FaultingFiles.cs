namespace Gateway.ControlPlane.Store;

/// <summary>The durable steps with a <see cref="FaultPoint"/> before, within and after each.</summary>
internal sealed class FaultingFiles : DurableFiles
{
    public override void Write(string path, ReadOnlySpan<byte> content)
    {
        string step = Before(path, "write");
        if (FaultPoint.IsLast(step + ".torn"))
        {
            base.Write(path, content[..(content.Length / 2)]);
            FaultPoint.Die(step + ".torn");
        }
        base.Write(path, content);
        FaultPoint.Pass(step + ".after");
    }

    public override void Append(string path, ReadOnlySpan<byte> content)
    {
        string step = Before(path, "append");
        if (FaultPoint.IsLast(step + ".torn"))
        {
            base.Append(path, content[..(content.Length / 2)]);
            FaultPoint.Die(step + ".torn");
        }
        base.Append(path, content);
        FaultPoint.Pass(step + ".after");
    }

    public override void Sync(string path)
    {
        base.Sync(path);
        FaultPoint.Pass($"{What(path)}.sync.after");
    }

    public override void Rename(string from, string to)
    {
        string step = Before(to, "rename");
        base.Rename(from, to);
        FaultPoint.Pass(step + ".after");
    }

    public override void Truncate(string path, long length)
    {
        string step = Before(path, "truncate");
        base.Truncate(path, length);
        FaultPoint.Pass(step + ".after");
    }

    public override void Delete(string path)
    {
        string step = Before(path, "delete");
        base.Delete(path);
        FaultPoint.Pass(step + ".after");
    }

    public override void SyncFolder(string folder)
    {
        base.SyncFolder(folder);
        FaultPoint.Pass("folder.sync.after");
    }

    private static string Before(string path, string step)
    {
        step = $"{What(path)}.{step}";
        FaultPoint.Pass(step + ".before");
        return step;
    }

    private static string What(string path)
    {
        if (path.EndsWith(".tmp", StringComparison.Ordinal)) path = path[..^4];
        return Path.GetFileName(Path.GetDirectoryName(path)) switch
        {
            "configs" => "document",
            "rollouts" => "rollout",
            _ => Path.GetFileName(path) switch { "history.log" => "journal", "last-good" => "pointer", "audit.log" => "audit", var name => name },
        };
    }
}
