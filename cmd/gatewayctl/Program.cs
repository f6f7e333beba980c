using System.CommandLine;
using Gateway.Ctl;
using Gateway.Ctl.Distributor;

var root = new RootCommand("Changes and shows a running gateway over its admin API.")
{
    ApplyCommand.Create(),
    ValidateCommand.Create(),
    DiffCommand.Create(),
    ExplainCommand.Create(),
    BundleCommand.Create(),
    DistributorCommand.Create(),
    SnapshotCommand.Create(),
    ConfigCommand.Create(),
    HistoryCommand.Create(),
    RollbackCommand.Create(),
    RolloutCommand.Create(),
    PoolsCommand.Create(),
    RoutesCommand.Create(),
    AuditCommand.Create(),
    FleetCommand.Create(),
};
ConnectionOptions.AddTo(root);
return await Invocation.RunAsync(root, args);
