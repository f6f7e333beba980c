using System.Globalization;
using Gateway.Bench.Soak;

// soak [--seconds 600] [--rate 1500] [--output FILE]
string? Option(string name) => args.SkipWhile(a => a != name).Skip(1).FirstOrDefault();

int seconds = int.Parse(Option("--seconds") ?? "600", CultureInfo.InvariantCulture);
int rate = int.Parse(Option("--rate") ?? "1500", CultureInfo.InvariantCulture);
SoakResult result = await Soak.RunAsync(TimeSpan.FromSeconds(seconds), rate);
string report = Report.Write(result);
if (Option("--output") is { } output) File.WriteAllText(output, report);
Console.WriteLine(report);
return result.Violations.Count == 0 ? 0 : 1;
