using System.Text.Json;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Harness;

/// <summary>An error made by the gateway is what the contract says, in every part.</summary>
internal static class Problem
{
    public static void Is(RawResponse response, int status, string category)
    {
        Assert.True(response.Status == status, $"{status} {category} expected: {response}");
        Assert.True(response.IsWhole, response.ToString());
        IsBody(response.Text, response["content-type"], status, category, response["x-request-id"], response["proxy-status"]);
    }

    public static async Task IsAsync(HttpResponseMessage response, int status, string category)
    {
        string text = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode == status, $"{status} {category} expected: {response}\n{text}");
        IsBody(text, response.Content.Headers.ContentType?.ToString(), status, category, One(response, "x-request-id"), One(response, "proxy-status"));
    }

    private static string? One(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? string.Join(", ", values) : null;

    private static void IsBody(string text, string? contentType, int status, string category, string? requestId, string? proxyStatus)
    {
        Assert.StartsWith("application/problem+json", contentType);
        JsonElement problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal($"urn:gateway:{category}", problem.GetProperty("type").GetString());
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.Equal(category, problem.GetProperty("category").GetString());
        Assert.False(string.IsNullOrEmpty(problem.GetProperty("title").GetString()));
        Assert.False(string.IsNullOrEmpty(problem.GetProperty("detail").GetString()));
        Assert.False(string.IsNullOrEmpty(requestId));
        Assert.Equal(requestId, problem.GetProperty("requestId").GetString());
        Assert.Contains("error=", proxyStatus);
    }
}
