namespace Gateway.Config;

[Doc("What helps to find faults, off unless configured.")]
public sealed record DebugConfig
{
    [Doc("Answers a request that carries the header X-Gateway-Explain with the same header: which route was chosen and why, as one line of JSON. It never reaches an upstream. Absent: the header means nothing.")]
    public ExplainHeaderConfig? ExplainHeader { get; init; }
}

[Doc("Who may ask with X-Gateway-Explain: clients by their address, or holders of a key; at least one of them is given.")]
public sealed record ExplainHeaderConfig
{
    [Doc("Networks (CIDR) of connections whose X-Gateway-Explain is answered whatever its value. It is the connection's peer that counts: behind a load balancer that is the balancer, for everyone.")]
    [Example("[\"127.0.0.1/32\", \"10.8.0.0/16\"]")]
    public IReadOnlyList<string> Addresses { get; init; } = [];

    [Doc("Key of signed requests, at least 16 characters: X-Gateway-Explain is EXPIRES.SIGNATURE, with EXPIRES in seconds since 1970, at most a day ahead, and SIGNATURE the lower-case hexadecimal HMAC-SHA256 of \"gateway-explain.EXPIRES\". In a shell: E=$(($(date +%s)+600)); echo $E.$(printf gateway-explain.$E | openssl dgst -sha256 -hmac KEY -r | cut -d' ' -f1)")]
    public Secret? Key { get; init; }
}
