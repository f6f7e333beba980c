using Gateway.Bench.Load;

// bench-load [--seconds 5] [--rounds 3] [--only TEXT] [--output FILE]    compare; TEXT is a part of a scenario's name, "idle memory" or "start"
// bench-load scaling [--seconds 5] [--rounds 3] [--output FILE]          one event loop and two
// bench-load yarp P O                                                    plain YARP on port P before the origin on port O
// bench-load slow P MS                                                   an origin that answers after MS milliseconds
// bench-load grpc-echo P                                                 a gRPC upstream in clear text that echoes messages
// bench-load grpc URL CONNECTIONS STREAMS SECONDS                        two-way calls through whatever is at the address
return args switch
{
    ["yarp", var port, var origin, .. var tls] => await PlainYarp.RunAsync(int.Parse(port), int.Parse(origin), tls),
    ["slow", var port, var delay] => await SlowOrigin.RunAsync(int.Parse(port), int.Parse(delay)),
    ["grpc-echo", var port] => await GrpcEcho.RunAsync(int.Parse(port)),
    ["grpc", var url, var connections, var streams, var seconds] => await GrpcLoad.RunAsync(url, int.Parse(connections), int.Parse(streams), int.Parse(seconds)),
    ["scaling", .. var options] => await Scaling.RunAsync(new Arguments(options)),
    _ => await SideBySide.RunAsync(new Arguments(args)),
};
