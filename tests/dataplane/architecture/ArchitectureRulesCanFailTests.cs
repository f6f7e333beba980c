using Gateway.Config;
using Gateway.DataPlane.Tests.Architecture.BadTree.High;
using Gateway.DataPlane.Tests.Architecture.BadTree.Low;
using Xunit;

namespace Gateway.DataPlane.Tests.Architecture
{
    /// <summary>Each rule of <see cref="ArchitectureTests"/> on types that break it, so that a reader that sees nothing cannot pass for a clean tree.</summary>
    public sealed class ArchitectureRulesCanFailTests
    {
        private const string Root = "Gateway.DataPlane.Tests.Architecture.BadTree";
        private static readonly IReadOnlySet<TypeUse> Uses = CompiledReferences.Read(typeof(LooksUp).Assembly);

        [Theory]
        [InlineData(nameof(LooksUp.InAnInstruction))]
        [InlineData(nameof(LooksUp.InAClosure))]
        [InlineData(nameof(LooksUp.BehindAJumpTable))]
        [InlineData(nameof(LooksUp.InAnAsyncBodyAsync))]
        [InlineData(nameof(LooksUp.InAGenericArgument))]
        [InlineData(nameof(LooksUp.InASignature))]
        public void UseOfAHigherFolder_IsReportedWithItsMember(string member) =>
            Assert.Contains(
                $"{typeof(LooksUp).FullName}.{member} uses {typeof(Above).FullName}: Low must not see High",
                Layers.Violations(Uses, Root, [["Low"], ["High"]]));

        [Fact]
        public void UseOfALowerFolder_IsAllowed() => Assert.Empty(Layers.Violations(Uses, Root, [["High"], ["Low"]]));

        [Fact]
        public void FolderWithoutAPlace_IsReported() =>
            Assert.Contains($"{typeof(LooksUp).FullName}: folder Low has no place in the order", Layers.Violations(Uses, Root, [["High"]]));

        [Fact]
        public void FoldersOfOneLayer_AreSiblings()
        {
            Assert.NotEmpty(Layers.Violations(Uses, Root, [["High", "Low"]]));
            Assert.NotEmpty(Layers.SiblingUses(Uses, Root));
        }

        [Fact]
        public void FilterThatReadsItsConfigWhenItRuns_IsReported()
        {
            TypeUse[] found = [.. ArchitectureTests.FilterUses(Uses, typeof(LooksUp).Assembly, typeof(IBadFilter)).Where(u => ArchitectureTests.IsConfig(u.To))];
            Assert.Equal([nameof(BadFilter.RunAsync)], found.Select(u => u.Member).Distinct());
        }
    }

    public interface IBadFilter
    {
        Task<int> RunAsync();
    }

    public sealed class BadFilter : IBadFilter
    {
        private readonly RespondConfig _config;

        public BadFilter(RespondConfig config)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(config.Status, 200);
            _config = config;
        }

        public async Task<int> RunAsync()
        {
            await Task.Yield();
            return _config.Status;
        }
    }
}

namespace Gateway.DataPlane.Tests.Architecture.BadTree.High
{
    public static class Above
    {
        public static int Number { get; set; }

        public struct Nested;
    }
}

namespace Gateway.DataPlane.Tests.Architecture.BadTree.Low
{
    public static class LooksUp
    {
        public static int InAnInstruction() => Above.Number;

        public static int BehindAJumpTable(int i)
        {
            switch (i)
            {
                case 0: return 7;
                case 1: return 5;
                case 2: return 9;
                case 3: return 2;
                default: break;
            }
            return Above.Number;
        }

        public static Func<int, int> InAClosure(int offset) => x => x + offset + Above.Number;

        public static async Task<int> InAnAsyncBodyAsync()
        {
            await Task.Yield();
            return Above.Number;
        }

        public static object InAGenericArgument() => new List<Above.Nested>();

        public static void InASignature(Above.Nested[] values) => ArgumentNullException.ThrowIfNull(values);
    }
}
