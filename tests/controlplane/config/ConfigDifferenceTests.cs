using System.Text;
using Gateway.Config;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

public sealed class ConfigDifferenceTests
{
    private static GatewayConfig Read(string rest) =>
        ConfigReader.ReadJson(Encoding.UTF8.GetBytes($$"""{ "version": "v1"{{(rest.Length == 0 ? "" : ", " + rest)}} }""")) is { Config: { } config } ? config : throw new InvalidOperationException(rest);

    private static string[] Lines(string before, string after) =>
        [.. ConfigDifference.Between(Read(before), Read(after)).Select(static c => $"{c.Kind} {c.Section} {c.Name}: {string.Join("; ", c.Fields.Select(static f => $"{f.Path} {f.Before ?? "-"} -> {f.After ?? "-"}"))}")];

    [Fact]
    public void EachField_IsToldWithItsValues() =>
        Assert.Equal(
        [
            "Changed routes a: match.hosts [] -> [\"a\"]; respond.status 201 -> 200; respond.body \"x\" -> \"\"; timeouts.request \"10s\" -> \"0s\"",
            "Changed accessLog : output \"stdout\" -> \"off\"",
        ],
        Lines(
            """ "routes": [ { "name": "a", "respond": { "status": 201, "body": "x" }, "timeouts": { "request": "10s" } } ] """,
            """ "routes": [ { "timeouts": { "request": "0s" }, "match": { "hosts": ["a"] }, "respond": { "status": 200 }, "name": "a" } ], "accessLog": { "output": "off" } """));

    [Fact]
    public void ObjectsComeAndGo_AndRoutesMove() =>
        Assert.Equal(
            ["Removed listeners one: ", "Added routes d: ", "Removed routes a: ", "Moved routes c: ", "Added pools p: "],
            Lines(
                """ "listeners": [ { "name": "one", "address": "127.0.0.1:1" } ], "routes": [ { "name": "a", "respond": {} }, { "name": "b", "respond": {} }, { "name": "c", "respond": {} } ] """,
                """ "pools": { "p": { "endpoints": [] } }, "routes": [ { "name": "c", "respond": {} }, { "name": "b", "respond": {} }, { "name": "d", "respond": {} } ] """));

    [Fact]
    public void DocumentsThatMeanTheSame_DoNotDiffer() =>
        Assert.Empty(Lines(
            """ "routes": [ { "name": "a", "respond": { "status": 200 } } ], "history": { "keep": 100 } """,
            """ "$schema": "x", "routes": [ { "respond": {}, "name": "a" } ] """));

    [Fact]
    public void ASecret_IsToldToHaveChangedAndNothingMore() =>
        Assert.Equal(
            ["Changed certificates site: keyPassword \"***\" -> \"***\""],
            Lines(
                """ "certificates": { "site": { "certFile": "a", "keyFile": "b", "keyPassword": "hunter2" } } """,
                """ "certificates": { "site": { "certFile": "a", "keyFile": "b", "keyPassword": "hunter3" } } """));

    [Fact]
    public void ANullableObject_IsToldWhole() =>
        Assert.Equal(
            ["Changed routes a: redirect - -> {\"host\":\"b\"}; respond {} -> -"],
            Lines(""" "routes": [ { "name": "a", "respond": {} } ] """, """ "routes": [ { "name": "a", "redirect": { "host": "b" } } ] """));
}
