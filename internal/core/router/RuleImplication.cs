using System.Text;

namespace Gateway.Core.Router;

/// <summary>Whether the method, header and query conditions of one rule follow from those of another.</summary>
internal static class RuleImplication
{
    /// <summary>True when every request that meets the conditions of <paramref name="rule"/> certainly meets those of <paramref name="other"/>.</summary>
    public static bool Holds<T>(RouteRule<T> rule, RouteRule<T> other)
        where T : class =>
        MethodsHold(rule.Methods, other.Methods)
        && ConditionsHold(rule.Headers, other.Headers, StringComparison.OrdinalIgnoreCase)
        && ConditionsHold(rule.Query, other.Query, StringComparison.Ordinal);

    /// <summary>Equal for rules whose conditions are the same but for their order.</summary>
    public static string Signature<T>(RouteRule<T> rule)
        where T : class
    {
        var text = new StringBuilder();
        foreach (string method in rule.Methods.Order(StringComparer.Ordinal)) Append(text, method);
        foreach (string header in rule.Headers.Select(static c => Describe(c, c.Name.ToLowerInvariant())).Order(StringComparer.Ordinal)) Append(text.Append('h'), header);
        foreach (string parameter in rule.Query.Select(static c => Describe(c, c.Name)).Order(StringComparer.Ordinal)) Append(text.Append('q'), parameter);
        return text.ToString();
    }

    private static bool MethodsHold(IReadOnlyList<string> methods, IReadOnlyList<string> others)
    {
        if (others.Count == 0) return true;
        if (methods.Count == 0) return false;
        foreach (string method in methods)
            if (!others.Contains(method)) return false;
        return true;
    }

    private static bool ConditionsHold(IReadOnlyList<ValueCondition> conditions, IReadOnlyList<ValueCondition> others, StringComparison names)
    {
        for (int i = 0; i < others.Count; i++)
        {
            bool implied = false;
            for (int j = 0; j < conditions.Count && !implied; j++) implied = Implies(conditions[j], others[i], names);
            if (!implied) return false;
        }
        return true;
    }

    // A value that is equal or matches is a value that is there.
    private static bool Implies(ValueCondition condition, ValueCondition other, StringComparison names) =>
        condition.Name.Equals(other.Name, names)
        && ((condition.Kind == other.Kind && (other.Kind is ValueConditionKind.Present or ValueConditionKind.Absent || condition.Text == other.Text))
            || (other.Kind == ValueConditionKind.Present && condition.Kind is ValueConditionKind.Equals or ValueConditionKind.Regex));

    private static string Describe(ValueCondition condition, string name) =>
        condition.Kind is ValueConditionKind.Present or ValueConditionKind.Absent ? $"{condition.Kind} {name.Length} {name}" : $"{condition.Kind} {name.Length} {name} {condition.Text}";

    // With its length before it, so that no two lists read the same.
    private static void Append(StringBuilder text, string part) => text.Append(part.Length).Append(' ').Append(part);
}
