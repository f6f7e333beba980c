using System.Text;
using Gateway.Config;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Policy.Respond;

internal sealed class RespondFilter(RespondConfig config) : IRequestFilter
{
    private readonly int _status = config.Status;
    private readonly string _contentType = config.ContentType;
    private readonly byte[] _body = Encoding.UTF8.GetBytes(config.Body);

    public async ValueTask<bool> OnRequestAsync(RequestContext context)
    {
        IDownstream client = context.Downstream;
        client.StatusCode = _status;
        if (_body.Length != 0) client.ResponseHeaders.ContentType = _contentType;
        if (_status is not (204 or 304)) client.ResponseHeaders.ContentLength = _body.Length;
        await client.StartResponseAsync();
        if (_body.Length != 0 && client.Method != "HEAD")
        {
            await client.ResponseBody.WriteAsync(_body);
            context.ResponseBytes = _body.Length;
        }
        return true;
    }

    public FilterEffect Explain(in DescribedRequest request) => new("respond", $"answers {_status} with a fixed body of {_body.Length} bytes")
    {
        Status = _status,
        Headers = _body.Length == 0 ? [] : [new("Content-Type", _contentType)],
    };
}
