using System.Diagnostics;

namespace Gateway.TestKit;

/// <summary>Waits that say what they wait for. A test never sleeps: it names the condition that ends the wait, and a deadline far beyond what is usual.</summary>
public static class Eventually
{
    /// <summary>Long enough for a machine under full load; nothing that works comes near it.</summary>
    public static readonly TimeSpan DefaultDeadline = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    /// <summary>Returns as soon as the condition holds. Throws <see cref="TimeoutException"/> naming <paramref name="what"/> at the deadline.</summary>
    public static Task Until(string what, Func<bool> condition, TimeSpan? deadline = null) =>
        Until(what, () => Task.FromResult(condition()), deadline);

    /// <inheritdoc cref="Until(string, Func{bool}, TimeSpan?)"/>
    public static async Task Until(string what, Func<Task<bool>> condition, TimeSpan? deadline = null)
    {
        TimeSpan limit = deadline ?? DefaultDeadline;
        long start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(start) > limit) throw new TimeoutException($"not within {limit.TotalSeconds:0.#} s: {what}");
            await Task.Delay(Pause);
        }
    }

    /// <summary>Returns the first value that is not null.</summary>
    public static async Task<T> Get<T>(string what, Func<Task<T?>> value, TimeSpan? deadline = null) where T : class
    {
        T? found = null;
        await Until(what, async () => (found = await value()) is not null, deadline);
        return found!;
    }

    /// <summary>Awaits the task, or throws <see cref="TimeoutException"/> naming <paramref name="what"/> at the deadline.</summary>
    public static async Task<T> Within<T>(string what, Task<T> task, TimeSpan? deadline = null)
    {
        await Within(what, (Task)task, deadline);
        return await task;
    }

    /// <inheritdoc cref="Within{T}(string, Task{T}, TimeSpan?)"/>
    public static async Task Within(string what, Task task, TimeSpan? deadline = null)
    {
        TimeSpan limit = deadline ?? DefaultDeadline;
        if (await Task.WhenAny(task, Task.Delay(limit)) != task) throw new TimeoutException($"not within {limit.TotalSeconds:0.#} s: {what}");
        await task;
    }
}
