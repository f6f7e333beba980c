using Gateway.Bench.Load;

// bench-load            compare
// bench-load yarp P O   plain YARP on port P before the origin on port O
// bench-load slow P MS  an origin that answers after MS milliseconds
return args switch
{
    ["yarp", var port, var origin, .. var tls] => await PlainYarp.RunAsync(int.Parse(port), int.Parse(origin), tls),
    ["slow", var port, var delay] => await SlowOrigin.RunAsync(int.Parse(port), int.Parse(delay)),
    _ => await SideBySide.RunAsync(args),
};
