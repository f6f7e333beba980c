using Gateway.Config;

namespace Gateway.ControlPlane.Rollout;

/// <summary>
/// How a candidate is rolled out. It is the candidate's own document that says so, for who means to change much may take more care in the
/// same document; but a candidate cannot take less than the live document asks for: it would otherwise be the change that is to be watched
/// that says whether it is. A gate is therefore loosened by one change, and the next one has the good of it.
/// </summary>
/// <param name="Stages">Empty for none: live at once.</param>
/// <param name="Cohort">As the document writes it.</param>
/// <param name="Fleet">How it goes through the replicas of a fleet.</param>
/// <param name="HoldTimeout">How long a replica serves the candidate without seeing the fleet.</param>
/// <param name="Note">What of it is the live document's, for a person; null for nothing.</param>
internal sealed record RolloutPlan(string Name, IReadOnlyList<RolloutStage> Stages, string Cohort, RolloutGatesConfig Gates, NoTrafficAction OnNoTraffic, FleetRolloutMode Fleet, TimeSpan HoldTimeout, string? Note)
{
    private static readonly RolloutConfig None = new();

    /// <summary>An error when neither document has a rollout of this name.</summary>
    public static IReadOnlyList<ConfigError> Missing(string name, GatewayConfig? candidate, GatewayConfig? live)
    {
        // The live document again is not read again.
        if (candidate is null || candidate.Rollout.ContainsKey(name) || live?.Rollout.ContainsKey(name) == true) return [];
        string known = candidate.Rollout.Count == 0 ? "has none" : $"has {string.Join(", ", candidate.Rollout.Keys.Select(static k => $"'{k}'"))}";
        return [new ConfigError("rollout", "unknown_rollout", $"there is no rollout '{name}': the document {known}; add \"rollout\": {{ \"{name}\": {{ \"stages\": [{{ \"percent\": 1, \"for\": \"30s\" }}] }} }}, or apply it without a rollout")];
    }

    /// <param name="live">The live document; null for none.</param>
    public static RolloutPlan Of(string name, GatewayConfig candidate, GatewayConfig? live)
    {
        RolloutConfig? own = candidate.Rollout.GetValueOrDefault(name), standing = live?.Rollout.GetValueOrDefault(name);
        if (own is null && standing is not null) return Of(name, standing, standing, "the document has no such rollout: the live one's counts");
        if (own is null || standing is null) return Of(name, own ?? None, own ?? None, null);
        List<string> kept = [];
        RolloutConfig shares = own with { Stages = Slower(own.Stages, standing.Stages) };
        if (!shares.Stages.SequenceEqual(own.Stages)) kept.Add("stages");
        // Who is drawn by each request alone meets the candidate sooner or later; neither way is the stricter one for everybody.
        if (own.Cohort != standing.Cohort && standing.Stages.Count > 0)
        {
            shares = shares with { Cohort = standing.Cohort };
            kept.Add("cohort");
        }
        RolloutGatesConfig gates = new()
        {
            ErrorRate = new ErrorRateGateConfig { Alpha = Stricter("gates.errorRate.alpha", own.Gates.ErrorRate.Alpha, standing.Gates.ErrorRate.Alpha, static (a, b) => a > b) },
            Latency = new LatencyGateConfig
            {
                Alpha = Stricter("gates.latency.alpha", own.Gates.Latency.Alpha, standing.Gates.Latency.Alpha, static (a, b) => a > b),
                Factor = Stricter("gates.latency.factor", own.Gates.Latency.Factor, standing.Gates.Latency.Factor, static (a, b) => a < b),
            },
            ClientErrors = new ClientErrorGateConfig
            {
                Alpha = Stricter("gates.clientErrors.alpha", own.Gates.ClientErrors.Alpha, standing.Gates.ClientErrors.Alpha, static (a, b) => a > b),
                MaxDifferencePercent = Stricter("gates.clientErrors.maxDifferencePercent", own.Gates.ClientErrors.MaxDifferencePercent, standing.Gates.ClientErrors.MaxDifferencePercent, static (a, b) => a < b),
            },
            MinSamples = Stricter("gates.minSamples", own.Gates.MinSamples, standing.Gates.MinSamples, static (a, b) => a > b),
            MaxTime = Stricter("gates.maxTime", own.Gates.MaxTime, standing.Gates.MaxTime, static (a, b) => a > b),
        };
        NoTrafficAction silence = Stricter("onNoTraffic", own.OnNoTraffic, standing.OnNoTraffic, static (a, b) => a > b);
        RolloutConfig rest = own with
        {
            Gates = gates,
            OnNoTraffic = silence,
            Fleet = Stricter("fleet", own.Fleet, standing.Fleet, static (a, b) => a < b),
            HoldTimeout = Stricter("holdTimeout", own.HoldTimeout, standing.HoldTimeout, static (a, b) => a < b),
        };
        return Of(name, shares, rest, kept.Count == 0 ? null : $"{string.Join(", ", kept)} as in the live configuration, which counts");

        T Stricter<T>(string what, T mine, T theirs, Func<T, T, bool> isStricter)
        {
            if (!isStricter(theirs, mine)) return mine;
            kept.Add(what);
            return theirs;
        }
    }

    /// <summary>
    /// The same for one of so many judges. Each replica judges by its own requests, so that watching needs no database and the fault of one
    /// replica's surroundings is not thinned by the others; but each may cry wolf, so each has its part of alpha (Bonferroni), and the fleet
    /// takes back what is no worse as rarely as one gateway does.
    /// </summary>
    public RolloutPlan Among(int judges) => judges <= 1 ? this : this with
    {
        Gates = Gates with
        {
            ErrorRate = Gates.ErrorRate with { Alpha = Gates.ErrorRate.Alpha / judges },
            Latency = Gates.Latency with { Alpha = Gates.Latency.Alpha / judges },
            ClientErrors = Gates.ClientErrors with { Alpha = Gates.ClientErrors.Alpha / judges },
        },
    };

    /// <summary>
    /// The lesser share of both at every moment, through every share of both: each is left no sooner than either leaves it. So neither a
    /// first share that is over at once, nor one that is left out, exposes anyone earlier than what is live allows.
    /// </summary>
    private static IReadOnlyList<RolloutStageConfig> Slower(IReadOnlyList<RolloutStageConfig> own, IReadOnlyList<RolloutStageConfig> standing)
    {
        List<RolloutStageConfig> stages = [];
        TimeSpan passed = TimeSpan.Zero;
        foreach (double percent in own.Concat(standing).Select(static s => s.Percent).Distinct().Order())
        {
            TimeSpan until = Later(Left(own, percent), Left(standing, percent));
            stages.Add(new RolloutStageConfig { Percent = percent, For = until - passed });
            passed = until;
        }
        return stages;

        static TimeSpan Left(IReadOnlyList<RolloutStageConfig> stages, double percent) =>
            stages.Where(s => s.Percent <= percent).Aggregate(TimeSpan.Zero, static (sum, s) => sum + s.For);

        static TimeSpan Later(TimeSpan a, TimeSpan b) => a > b ? a : b;
    }

    private static RolloutPlan Of(string name, RolloutConfig shares, RolloutConfig rest, string? note) =>
        new(name, [.. shares.Stages.Select(static s => new RolloutStage(s.Percent, s.For))], shares.Cohort, rest.Gates, rest.OnNoTraffic, rest.Fleet, rest.HoldTimeout, note);
}
