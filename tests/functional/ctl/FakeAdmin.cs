using Gateway.TestKit;
using Microsoft.AspNetCore.Http;

namespace Gateway.Functional.Tests.Ctl;

/// <summary>An admin API that answers what a test says and keeps what it was asked, for what a real gateway cannot be made to say.</summary>
internal sealed class FakeAdmin : IAsyncDisposable
{
    public const string Version1 = "1111111111111111111111111111111111111111111111111111111111111111";
    public const string Version2 = "2222222222222222222222222222222222222222222222222222222222222222";

    private readonly HttpOrigin _origin;
    private readonly TempFolder _folder = new();

    private FakeAdmin(HttpOrigin origin) => _origin = origin;

    public string LastBody { get; private set; } = "";
    public OriginRequest LastRequest => _origin.LastRequest;
    public string Url => _origin.Uri.OriginalString;
    public TempFolder Folder => _folder;

    public static async Task<FakeAdmin> StartAsync() => new(await HttpOrigin.StartAsync("admin"));

    public void Answer(string path, string json, int status = 200) => _origin.Map(path, async http =>
    {
        using var reader = new StreamReader(http.Request.Body);
        LastBody = await reader.ReadToEndAsync();
        http.Response.StatusCode = status;
        http.Response.ContentType = status < 400 ? "application/json" : "application/problem+json";
        http.Response.Headers.ETag = $"\"{Version1}\"";
        await http.Response.WriteAsync(json);
    });

    public Task<CommandResult> CtlAsync(params string[] arguments) => CtlAsync(arguments, "");

    /// <summary>Runs bin/gatewayctl in the test's folder, with the server and the token named by the environment.</summary>
    public Task<CommandResult> CtlAsync(string[] arguments, string input) => Command.RunAsync(
        GatewayProcess.CtlExecutable, arguments, input, _folder.Root,
        environment: new Dictionary<string, string> { ["GATEWAY_SERVER"] = Url, ["GATEWAY_TOKEN_FILE"] = _folder.Write("token", "s3cret\n") });

    public async ValueTask DisposeAsync()
    {
        await _origin.DisposeAsync();
        _folder.Dispose();
    }
}
