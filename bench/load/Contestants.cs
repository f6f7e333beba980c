using System.Diagnostics;

namespace Gateway.Bench.Load;

/// <summary>The proxies and their origin, each on one core, each set up as its own documentation advises for this job.</summary>
internal sealed class Contestants(string folder, string repository)
{
    public const int OriginPort = 19001;
    public const int SlowPort = 19002;
    public const int GrpcPort = 19003;
    private const string ProxyCore = "0";
    private const string LoadCore = "1";

    /// <summary>Where haproxy sends its log; somebody must read it (<see cref="Syslog"/>).</summary>
    public string SyslogSocket { get; } = $"{folder}/syslog";

    private static readonly string Self = Environment.ProcessPath!;

    public Process StartOrigin(bool everywhere)
    {
        Write("www/small", new string('x', 130));
        Write("www/large", new string('x', 100_000));
        Write("origin.conf", $$"""
            worker_processes 1; pid {{folder}}/origin.pid; error_log {{folder}}/origin.err; daemon off; master_process off;
            events { worker_connections 8192; }
            http { access_log off; keepalive_requests 1000000000; open_file_cache max=16; server { listen 127.0.0.1:{{OriginPort}} backlog=8192; root {{folder}}/www; } }
            """);
        return ProcessTree.Start("nginx", $"-c {folder}/origin.conf -p {folder}", everywhere ? null : LoadCore);
    }

    public static Process StartSlowOrigin() => ProcessTree.Start(Self, $"slow {SlowPort} 100", LoadCore);

    public static Process StartGrpcOrigin() => ProcessTree.Start(Self, $"grpc-echo {GrpcPort}", LoadCore);

    /// <param name="name">In the table.</param>
    /// <param name="cores">As taskset takes them.</param>
    /// <param name="arguments">More of them.</param>
    public Contestant Gateway(string name = "gateway", string cores = ProxyCore, string arguments = "") => new(name, 19100, _ =>
    {
        const string limits = """
            "limits": { "connections": 10000, "connectionsPerAddress": 5000, "connectionRatePerAddress": { "perSecond": 1000000 }, "requestRatePerAddress": { "perSecond": 1000000 } }
            """;
        const string policies = """
            "pool": "resilient", "retry": { "attempts": 3, "on": ["connect", "reset", "refused", "5xx"], "perClient": { "key": "ip" } }, "hedge": { "after": "5s" },
            "timeouts": { "deadlineHeader": "x-request-timeout" }
            """;
        // Not beside the configuration, whose folder is watched: each write of the log would wake who looks whether it was the document.
        string logs = Directory.CreateDirectory(Path.Combine(folder, "logs")).FullName;
        Write("gateway.json", $$"""
            { "version": "v1",
              "listeners": [
                { "name": "plain", "address": "127.0.0.1:19100", "limits": { "connections": 0 } },
                { "name": "tls", "address": "127.0.0.1:19101", "tls": { "certificates": ["site"] } },
                { "name": "h2c", "address": "127.0.0.1:19102" },
                { "name": "slow", "address": "127.0.0.1:19110", "limits": { "connections": 0 } },
                { "name": "grpc", "address": "127.0.0.1:19120" },
                { "name": "resilient", "address": "127.0.0.1:19130", {{limits}} },
                { "name": "adaptive", "address": "127.0.0.1:19131", {{limits}} } ],
              "certificates": { "site": { "certFile": "cert.pem", "keyFile": "key.pem" } },
              "routes": [
                { "name": "slow", "listeners": ["slow"], "pool": "slow" },
                { "name": "grpc", "listeners": ["grpc"], "pool": "grpc", "bodyBytes": 0 },
                { "name": "resilient", "listeners": ["resilient"], {{policies}}, "overload": { "maxInflight": 2000 } },
                { "name": "adaptive", "listeners": ["adaptive"], {{policies}}, "overload": { "maxInflight": 2000, "adaptive": true } },
                { "name": "all", "pool": "origin" } ],
              "pools": {
                "origin": { "endpoints": [{ "address": "127.0.0.1:{{OriginPort}}" }], "breaker": {} },
                "resilient": { "endpoints": [{ "address": "127.0.0.1:{{OriginPort}}" }], "loadBalancing": "peakEwma", "breaker": {}, "outlier": { "latency": {} },
                  "connections": { "maxPerEndpoint": 2000, "maxRequestsPerEndpoint": 2000 }, "slowStart": "1s", "affinity": { "cookie": "gw" },
                  "health": { "active": { "path": "/small", "interval": "1s" } } },
                "grpc": { "endpoints": [{ "address": "127.0.0.1:{{GrpcPort}}" }], "protocol": "grpc" },
                "slow": { "endpoints": [{ "address": "127.0.0.1:{{SlowPort}}" }] } },
              "accessLog": { "output": "{{logs}}/access.log" } }
            """);
        return ProcessTree.Start(Path.Combine(repository, "bin/gateway"), $"run --config {folder}/gateway.json --data-dir {folder}/data --admin 127.0.0.1:19109 {arguments} {Environment.GetEnvironmentVariable("GATEWAY_ARGS")}", cores);
    }, FirstLine("git", $"-C {repository} rev-parse --short HEAD"))
    { Logs = true, Measures = true };

    /// <param name="logs">With an access log, buffered as its documentation advises for load.</param>
    public Contestant Nginx(bool logs = false) => new(logs ? "nginx, log" : "nginx", logs ? 19500 : 19200, c =>
    {
        string name = $"nginx-{c.BasePort}", log = logs ? $"{folder}/{name}-access.log combined buffer=64k flush=1s" : "off";
        Write($"{name}.conf", $$"""
            worker_processes 1; pid {{folder}}/{{name}}.pid; error_log {{folder}}/{{name}}.err; daemon off; worker_rlimit_nofile 65535;
            events { worker_connections 16384; }
            http {
              access_log {{log}}; keepalive_requests 1000000000;
              proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
              proxy_buffers 16 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 128k;
              upstream origin { server 127.0.0.1:{{OriginPort}}; keepalive 2048; keepalive_requests 1000000000; }
              upstream grpc { server 127.0.0.1:{{GrpcPort}}; keepalive 2048; keepalive_requests 1000000000; }
              upstream slow { server 127.0.0.1:{{SlowPort}}; keepalive 2048; keepalive_requests 1000000000; }
              server { listen 127.0.0.1:{{c.BasePort}} backlog=8192; location / { proxy_pass http://origin; } }
              server { listen 127.0.0.1:{{c.BasePort + 1}} ssl backlog=8192; ssl_certificate {{folder}}/cert.pem; ssl_certificate_key {{folder}}/key.pem; location / { proxy_pass http://origin; } }
              server { listen 127.0.0.1:{{c.BasePort + 2}} http2 backlog=8192; location / { proxy_pass http://origin; } }
              server { listen 127.0.0.1:{{c.BasePort + 10}} backlog=8192; location / { proxy_pass http://slow; } }
              server { listen 127.0.0.1:{{c.BasePort + 20}} http2 backlog=8192; client_max_body_size 0; location / { grpc_pass grpc://grpc; } }
            }
            """);
        return ProcessTree.Start("nginx", $"-c {folder}/{name}.conf -p {folder}", ProxyCore);
    }, FirstLine("nginx", "-v"))
    { Logs = logs };

    /// <param name="logs">With its HTTP log sent to a syslog socket, which is the only kind of log that it writes under load.</param>
    public Contestant HaProxy(bool logs = false) => new(logs ? "haproxy, log" : "haproxy", logs ? 19600 : 19300, c =>
    {
        string name = $"haproxy-{c.BasePort}";
        File.WriteAllText(Path.Combine(folder, "pair.pem"), File.ReadAllText(Path.Combine(folder, "cert.pem")) + File.ReadAllText(Path.Combine(folder, "key.pem")));
        // It drops idle upstream connections beyond a quarter of its descriptors: with fewer it looks twice as slow at 1000 connections.
        Write($"{name}.cfg", $$"""
            global
              maxconn 9000
              nbthread 1
              {{(logs ? $"log {SyslogSocket} local0" : "")}}
            defaults
              mode http
              {{(logs ? "log global\n  option httplog" : "")}}
              timeout connect 5s
              timeout client 60s
              timeout server 60s
              option forwardfor
              http-reuse always
            frontend plain
              bind 127.0.0.1:{{c.BasePort}} backlog 8192
              default_backend origin
            frontend tls
              bind 127.0.0.1:{{c.BasePort + 1}} ssl crt {{folder}}/pair.pem alpn h2,http/1.1
              default_backend origin
            frontend h2c
              bind 127.0.0.1:{{c.BasePort + 2}} proto h2
              default_backend origin
            frontend slow
              bind 127.0.0.1:{{c.BasePort + 10}} backlog 8192
              default_backend slow
            frontend grpc
              bind 127.0.0.1:{{c.BasePort + 20}} proto h2
              default_backend grpc
            backend grpc
              server o 127.0.0.1:{{GrpcPort}} proto h2
            backend origin
              server o 127.0.0.1:{{OriginPort}}
            backend slow
              server o 127.0.0.1:{{SlowPort}}

            """);
        return ProcessTree.Start("haproxy", $"-f {folder}/{name}.cfg -db", ProxyCore);
    }, FirstLine("haproxy", "-v"))
    { Logs = logs };

    public Contestant Yarp() => new("plain YARP", 19400, c =>
        ProcessTree.Start(Self, $"yarp {c.BasePort} {OriginPort} {c.BasePort + 1} {folder}/cert.pem {folder}/key.pem", ProxyCore), "2.1.0");

    private void Write(string name, string text)
    {
        string path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    private static string FirstLine(string tool, string arguments)
    {
        using Process process = ProcessTree.Start(tool, arguments + " 2>&1 | head -n 1");
        return process.StandardOutput.ReadToEnd().Trim();
    }
}
