using System.CommandLine;
using System.Globalization;
using System.Text;
using Gateway.Bundle;
using Gateway.Client;
using Gateway.Config;
using Gateway.Ctl.Distributor;

namespace Gateway.Ctl;

/// <summary>Signed bundles: all but push work on files alone.</summary>
internal static class BundleCommand
{
    private static readonly TimeSpan DefaultLife = TimeSpan.FromHours(24);

    public static Command Create() => new("bundle", "Make, check and bring signed configurations") { KeyGen(), Sign(), Verify(), Inspect(), Push(), Publish() };

    private static Command KeyGen()
    {
        var name = new Option<string>("--out") { Description = "NAME.key and NAME.pub are written; neither may be there", HelpName = "NAME", Required = true };
        var command = new Command("keygen", "Make an Ed25519 key to sign with, and its public key") { name };
        command.SetLocalBody((parsed, output) =>
        {
            string stem = parsed.GetRequiredValue(name);
            using SigningKey key = SigningKey.Generate();
            BundleFiles.Create($"{stem}.key", Encoding.ASCII.GetBytes(key.ToPem()), UnixFileMode.UserRead | UnixFileMode.UserWrite);
            BundleFiles.Create($"{stem}.pub", Encoding.ASCII.GetBytes(key.Public.ToPem()), null);
            output.Line($"{stem}.key, {stem}.pub: key {key.Public.Id}");
            return ExitCode.Ok;
        });
        return command;
    }

    private static Command Sign()
    {
        Argument<string> config = new("CONFIG") { Description = "The configuration, JSON or YAML" };
        var keys = new Option<string[]>("--key") { Description = "Private key to sign with; may come again", HelpName = "FILE", Required = true };
        var sequence = new Option<long>("--sequence") { Description = "Number of the bundle, above that of every one before", HelpName = "N", Required = true };
        var expires = new Option<string>("--expires") { Description = $"How long it may be applied. Default: {DurationText.Format(DefaultLife)}", HelpName = "DURATION" };
        var source = new Option<string>("--source") { Description = "Where the configuration is from, such as a repository and commit", DefaultValueFactory = static _ => "" };
        var notes = new Option<string>("--notes") { Description = "Anything for people", DefaultValueFactory = static _ => "" };
        var to = new Option<string>("--output", "-o") { Description = "The bundle", HelpName = "BUNDLE", Required = true };
        var command = new Command("sign", "Make a signed bundle of a configuration") { config, keys, sequence, expires, source, notes, to };
        command.SetLocalBody((parsed, output) =>
        {
            string? text = parsed.GetValue(expires);
            TimeSpan life = DefaultLife;
            if (text is not null && (!DurationText.TryParse(text, out life) || life <= TimeSpan.Zero)) throw new UserException($"--expires {text} is not a time: write it as 24h or 30m");
            byte[] document = BundleFiles.Read(parsed.GetRequiredValue(config));
            DateTimeOffset now = TimeProvider.System.GetUtcNow();
            SigningKey[] signers = [.. parsed.GetRequiredValue(keys).Select(BundleFiles.PrivateKey)];
            byte[] bundle;
            try
            {
                bundle = BundleFile.Sign(new BundleManifest
                {
                    Sequence = parsed.GetRequiredValue(sequence),
                    CreatedAt = now,
                    ExpiresAt = now + life,
                    Source = parsed.GetRequiredValue(source),
                    Notes = parsed.GetRequiredValue(notes),
                    ConfigSha256 = BundleFile.DigestOf(document),
                    Config = document,
                }, signers);
            }
            catch (ArgumentException e)
            {
                throw new UserException(e.Message);
            }
            finally
            {
                foreach (SigningKey key in signers) key.Dispose();
            }
            BundleFiles.Write(parsed.GetRequiredValue(to), bundle);
            output.Line($"{parsed.GetRequiredValue(to)}: bundle {parsed.GetRequiredValue(sequence)} of {BundleFile.DigestOf(document)}, expires {Output.Time(now + life)}");
            return ExitCode.Ok;
        });
        return command;
    }

    private static Command Verify()
    {
        Argument<string> file = new("BUNDLE");
        var keys = new Option<string[]>("--public-key") { Description = "Key that may have signed it; may come again", HelpName = "FILE", Required = true };
        var threshold = new Option<int>("--threshold") { Description = "How many of them must have", DefaultValueFactory = static _ => 1 };
        var command = new Command("verify", "Check a bundle as a gateway does, its sequence apart") { file, keys, threshold };
        command.SetLocalBody((parsed, output) =>
        {
            VerificationKey[] trusted = [.. parsed.GetRequiredValue(keys).Select(BundleFiles.PublicKey).DistinctBy(static k => k.Id)];
            int needed = parsed.GetValue(threshold);
            if (needed < 1 || needed > trusted.Length) throw new UserException($"--threshold is {needed}, and {trusted.Length} different key(s) are given");
            BundleVerification verified = new BundleVerifier(trusted, needed).Verify(BundleFiles.Read(parsed.GetRequiredValue(file)), TimeProvider.System.GetUtcNow());
            if (verified.Refusal is { } refusal)
            {
                output.Error($"{refusal.Code}: {refusal.Message}");
                return ExitCode.Refused;
            }
            Print(output, verified.Manifest!, verified.SignedBy, "signed by");
            return ExitCode.Ok;
        });
        return command;
    }

    private static Command Inspect()
    {
        Argument<string> file = new("BUNDLE");
        var command = new Command("inspect", "Show what a bundle says, verifying nothing") { file };
        command.SetLocalBody((parsed, output) =>
        {
            if (BundleFile.Inspect(BundleFiles.Read(parsed.GetRequiredValue(file)), out BundleRefusal? refusal) is not { } read)
            {
                output.Error($"{refusal!.Code}: {refusal.Message}");
                return ExitCode.Refused;
            }
            Print(output, read.Manifest, read.KeyIds, "claims key");
            return ExitCode.Ok;
        });
        return command;
    }

    private static Command Push()
    {
        Argument<string> file = new("BUNDLE");
        var watch = new Option<bool>("--watch") { Description = "Show how its rollout goes until it ends. Exit code 0 when it was promoted" };
        var command = new Command("push", "Bring a bundle to the gateway, which verifies it and takes it through the rollout 'default'") { file, watch };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            ApplyResult result = await session.Client.PushBundleAsync(BundleFiles.Read(parsed.GetRequiredValue(file)), cancellationToken);
            return await RolloutWatch.BegunAsync(session, result, parsed.GetValue(watch), cancellationToken);
        });
        return command;
    }

    private static Command Publish()
    {
        Argument<string> file = new("BUNDLE");
        var dir = new Option<string>("--dir") { Description = "The distributor's folder", HelpName = "DIR", Required = true };
        var command = new Command("publish", "Put a bundle into a distributor's folder, whole or not at all") { file, dir };
        command.SetLocalBody((parsed, output) =>
        {
            string folder = parsed.GetRequiredValue(dir);
            output.Line(Path.Combine(folder, BundlePublishing.Publish(folder, BundleFiles.Read(parsed.GetRequiredValue(file)))));
            return ExitCode.Ok;
        });
        return command;
    }

    private static void Print(Output output, BundleManifest manifest, IReadOnlyList<string> keyIds, string keys)
    {
        output.Line($"sequence    {manifest.Sequence.ToString(CultureInfo.InvariantCulture)}");
        output.Line($"config      {manifest.ConfigSha256} ({manifest.Config.Length} bytes)");
        output.Line($"created     {Output.Time(manifest.CreatedAt)}");
        output.Line($"expires     {Output.Time(manifest.ExpiresAt)}");
        if (manifest.Source.Length != 0) output.Line($"source      {manifest.Source}");
        if (manifest.Notes.Length != 0) output.Line($"notes       {manifest.Notes}");
        foreach (string id in keyIds) output.Line($"{keys,-11} {id}");
    }
}
