using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Limits;

namespace Gateway.Core.Tests.Limits;

public sealed class LimiterPropertyTests
{
    private enum Act
    {
        Enter, Wait, Leave, Cancel, Pass, Retune,
    }

    private static readonly Gen<(Act Act, int Value)[]> Stories =
        Gen.Elements(Enum.GetValues<Act>()).SelectMany(act => Gen.Choose(0, 999).Select(value => (act, value))).ArrayOf().Resize(200);

    /// <summary>Whatever happens in whatever order: as many in flight as were admitted and have not left, no admission beyond the limit, no slot free while somebody waits, everybody answered in the end.</summary>
    [Fact]
    public void NoSlotIsLost_AndNoneIsGivenTwice() => Prop.ForAll(Stories.ToArbitrary(), story =>
    {
        var time = new VirtualTime();
        var limiter = new ConcurrencyLimiter(time);
        var queue = new QueueSettings(4, TimeSpan.FromMilliseconds(100));
        int limit = 2, held = 0;
        List<(Task<Admission> End, CancellationTokenSource Cancellation)> waiting = [];
        foreach ((Act act, int value) in story)
        {
            int before = limiter.InFlight;
            switch (act)
            {
                case Act.Enter:
                    if (limiter.TryEnter(limit)) held++;
                    break;
                case Act.Wait:
                    var cancellation = new CancellationTokenSource();
                    waiting.Add((limiter.WaitAsync(limit, queue, value % 8, cancellation.Token).AsTask(), cancellation));
                    break;
                case Act.Leave when held > 0:
                    held--;
                    limiter.Leave(limit, queue.Timeout);
                    break;
                case Act.Cancel when waiting.Count > 0:
                    waiting[value % waiting.Count].Cancellation.Cancel();
                    break;
                case Act.Pass:
                    time.Advance(TimeSpan.FromMilliseconds(value % 60));
                    break;
                case Act.Retune:
                    limit = 1 + (value % 5);
                    break;
            }
            // Who has been answered is seen a moment later, on another thread: what the limiter says is not.
            if (limiter.InFlight < 0 || (limiter.InFlight > before && limiter.InFlight > limit)) return false;
            if (limiter.Waiting > queue.Length) return false;
            if (!SpinWait.SpinUntil(() => waiting.Count(w => !w.End.IsCompleted) == limiter.Waiting, 5000)) return false;
            foreach ((Task<Admission> End, CancellationTokenSource Cancellation) ended in waiting.Where(w => w.End.IsCompleted).ToArray())
            {
                if (ended.End.GetAwaiter().GetResult() == Admission.Admitted) held++;
                waiting.Remove(ended);
            }
            if (held != limiter.InFlight) return false;
            if (act is not Act.Retune && limiter.Waiting > 0 && limiter.InFlight < limit && act is Act.Leave or Act.Wait) return false;
        }
        while (held-- > 0) limiter.Leave(limit, queue.Timeout);
        time.Advance(queue.Timeout);
        return limiter.Waiting == 0 && SpinWait.SpinUntil(() => waiting.All(w => w.End.IsCompleted), 5000)
            && limiter.InFlight == waiting.Count(w => w.End.GetAwaiter().GetResult() == Admission.Admitted);
    }).QuickCheckThrowOnFailure();
}
