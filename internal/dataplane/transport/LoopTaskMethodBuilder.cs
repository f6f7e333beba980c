using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// Builds async methods whose state is kept, once they have had to wait, in an object that the thread uses again: on a loop hundreds of
/// requests wait in the same method at a time, where .NET's own pooling builder keeps one object per thread. The execution context is
/// not captured: what waits here runs on in whatever context the loop has, as nothing of the gateway's uses one. As with every
/// <see cref="ValueTask"/>: to be awaited once.
/// </summary>
internal struct LoopTaskMethodBuilder
{
    private LoopTask<VoidResult>? _task;
    private Exception? _failure;

    public static LoopTaskMethodBuilder Create() => default;

    public readonly ValueTask Task =>
        _task is not null ? new ValueTask(_task, _task.Version)
        : _failure is not null ? ValueTask.FromException(_failure)
        : default;

    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine => stateMachine.MoveNext();

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
        // Of old compilers.
    }

    public readonly void SetResult() => _task?.SetResult(default);

    public void SetException(Exception exception)
    {
        if (_task is null) _failure = exception;
        else _task.SetException(exception);
    }

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.OnCompleted(LoopTask<VoidResult>.MoveNextOf(ref _task, ref stateMachine));

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.UnsafeOnCompleted(LoopTask<VoidResult>.MoveNextOf(ref _task, ref stateMachine));
}

/// <inheritdoc cref="LoopTaskMethodBuilder"/>
internal struct LoopTaskMethodBuilder<TResult>
{
    private LoopTask<TResult>? _task;
    private Exception? _failure;
    private TResult _result;

    public static LoopTaskMethodBuilder<TResult> Create() => default;

    public readonly ValueTask<TResult> Task =>
        _task is not null ? new ValueTask<TResult>(_task, _task.Version)
        : _failure is not null ? ValueTask.FromException<TResult>(_failure)
        : new ValueTask<TResult>(_result);

    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine => stateMachine.MoveNext();

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
        // Of old compilers.
    }

    public void SetResult(TResult result)
    {
        if (_task is null) _result = result;
        else _task.SetResult(result);
    }

    public void SetException(Exception exception)
    {
        if (_task is null) _failure = exception;
        else _task.SetException(exception);
    }

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.OnCompleted(LoopTask<TResult>.MoveNextOf(ref _task, ref stateMachine));

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.UnsafeOnCompleted(LoopTask<TResult>.MoveNextOf(ref _task, ref stateMachine));
}

internal readonly struct VoidResult;

/// <summary>An async method that waits: who awaits its end, and, in the derived class, its state.</summary>
internal abstract class LoopTask<TResult> : IValueTaskSource<TResult>, IValueTaskSource
{
    private ManualResetValueTaskSourceCore<TResult> _end;

    protected LoopTask() => MoveNextAction = MoveNext;

    public Action MoveNextAction { get; }

    public short Version => _end.Version;

    public void SetResult(TResult result) => _end.SetResult(result);

    public void SetException(Exception exception) => _end.SetException(exception);

    public TResult GetResult(short token)
    {
        // A wrong token throws, and this stays with its owner; a failure of the method's is rethrown after it has been given back.
        if (_end.GetStatus(token) == ValueTaskSourceStatus.Pending) throw new InvalidOperationException("The method has not ended.");
        try
        {
            return _end.GetResult(token);
        }
        finally
        {
            _end.Reset();
            GiveBack();
        }
    }

    void IValueTaskSource.GetResult(short token) => GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _end.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _end.OnCompleted(continuation, state, token, flags);

    /// <summary>What runs the method on; moves its state off the stack the first time it waits.</summary>
    public static Action MoveNextOf<TStateMachine>(ref LoopTask<TResult>? task, ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        if (task is { } waiting) return waiting.MoveNextAction;
        Of<TStateMachine> rented = Of<TStateMachine>.Rent();
        // First: the copy must know it, as the builder is part of the state.
        task = rented;
        rented.StateMachine = stateMachine;
        return rented.MoveNextAction;
    }

    protected abstract void MoveNext();

    protected abstract void GiveBack();

    private sealed class Of<TStateMachine> : LoopTask<TResult>
        where TStateMachine : IAsyncStateMachine
    {
        // As many as wait in one method on one loop at a busy moment; a few hundred bytes each.
        private const int MostKept = 1024;

        [ThreadStatic]
        private static Of<TStateMachine>? _kept;

        private Of<TStateMachine>? _next;
        private int _depth;

        public TStateMachine? StateMachine;

        public static Of<TStateMachine> Rent()
        {
            if (_kept is not { } first) return new Of<TStateMachine>();
            _kept = first._next;
            first._next = null;
            return first;
        }

        protected override void MoveNext() => StateMachine!.MoveNext();

        protected override void GiveBack()
        {
            // Nothing it referred to lives on in it.
            StateMachine = default;
            int depth = _kept is { } first ? first._depth + 1 : 1;
            if (depth > MostKept) return;
            _depth = depth;
            _next = _kept;
            _kept = this;
        }
    }
}
