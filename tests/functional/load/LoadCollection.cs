using Xunit;

namespace Gateway.Functional.Tests.Load;

/// <summary>Tests that use the whole machine run one after the other, and not beside the others.</summary>
[CollectionDefinition("load", DisableParallelization = true)]
public sealed class LoadCollection;
