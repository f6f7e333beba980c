using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// The system calls of the event loop, blittable, so that a call costs no marshalling. Calls that can block keep the GC transition;
/// non-blocking recv and send go without it (they return within microseconds, and the transition is a tenth of their cost).
/// </summary>
internal static unsafe partial class Libc
{
    public const uint EpollIn = 0x1, EpollOut = 0x4, EpollErr = 0x8, EpollHup = 0x10, EpollRdHup = 0x2000, EpollEdge = 0x8000_0000;
    public const int EpollCtlAdd = 1, EpollCtlDel = 2;
    public const int Eintr = 4, Eagain = 11, Enomem = 12, Einval = 22, Enfile = 23, Emfile = 24, Enosys = 38, Enobufs = 105, Einprogress = 115, Ecanceled = 125;
    public const int AfUnix = 1, AfInet = 2, AfInet6 = 10;
    public const int SockStreamNonBlockCloExec = 1 | 0x800 | 0x80000, SockDatagramNonBlockCloExec = 2 | 0x800 | 0x80000, NonBlockCloExec = 0x800 | 0x80000, CloExec = 0x80000;
    public const int SolSocket = 1, SoReuseAddr = 2, SoError = 4, SoKeepAlive = 9, SoLinger = 13, SoReusePort = 15;
    public const int IpProtoTcp = 6, TcpNoDelay = 1, IpProtoIpv6 = 41, Ipv6V6Only = 26;
    public const int MsgPeek = 0x2, MsgTrunc = 0x20, MsgNoSignal = 0x4000;
    public const int ShutWrite = 1;

    private static readonly bool IsX64 = RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>Of a struct epoll_event: 32 bits of events, then 64 of the caller's own, which follow at once on x86-64 alone; elsewhere they are aligned.</summary>
    public static readonly int EpollEventSize = IsX64 ? 12 : 16;

    private static readonly int EpollDataAt = IsX64 ? 4 : 8;

    /// <summary>Whether the numbers and shapes below are those of this machine: of Linux on the architectures that .NET runs on, all but those of old.</summary>
    public static bool IsKnownHere => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64 or Architecture.LoongArch64 or Architecture.RiscV64;

    public static uint EventsOf(byte* epollEvent) => *(uint*)epollEvent;

    public static ulong DataOf(byte* epollEvent) => Unsafe.ReadUnaligned<ulong>(epollEvent + EpollDataAt);

    public static int Errno => Marshal.GetLastSystemError();

    [LibraryImport("libc", EntryPoint = "epoll_create1")]
    public static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl")]
    private static partial int EpollControl(int epoll, int operation, int fd, byte* e);

    public static int EpollControl(int epoll, int operation, int fd, uint events, ulong data)
    {
        byte* e = stackalloc byte[16];
        *(uint*)e = events;
        Unsafe.WriteUnaligned(e + EpollDataAt, data);
        return EpollControl(epoll, operation, fd, e);
    }

    [LibraryImport("libc", EntryPoint = "epoll_wait")]
    public static partial int EpollWait(int epoll, byte* events, int count, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "eventfd")]
    public static partial int EventFd(uint value, int flags);

    // Not as recv() and send(): those are points where a thread can be cancelled (POSIX), which costs each call two locked instructions in a process of
    // several threads. Nobody cancels a loop.
    public static nint Receive(int fd, byte* buffer, nint length, int flags) => Call(ReceiveNumber, fd, buffer, length, flags, 0, 0);

    public static nint Send(int fd, byte* buffer, nint length, int flags) => Call(SendNumber, fd, buffer, length, flags, 0, 0);

    /// <param name="addressLength">Room for the sender's address; then its length.</param>
    /// <param name="fd">The socket.</param>
    /// <param name="buffer">Receives the datagram.</param>
    /// <param name="length">Bytes of the buffer.</param>
    /// <param name="address">Receives the sender's address.</param>
    public static nint ReceiveFrom(int fd, byte* buffer, nint length, byte* address, int* addressLength) => Call(ReceiveNumber, fd, buffer, length, 0, (nint)address, (nint)addressLength);

    public static nint SendTo(int fd, byte* buffer, nint length, byte* address, int addressLength) => Call(SendNumber, fd, buffer, length, MsgNoSignal, (nint)address, addressLength);

    // recvfrom and sendto, above all without an address: the kernel's numbers for them (arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h).
    private static readonly nint ReceiveNumber = IsX64 ? 45 : 207;
    private static readonly nint SendNumber = IsX64 ? 44 : 206;

    [LibraryImport("libc", EntryPoint = "syscall"), SuppressGCTransition]
    private static partial nint Call(nint number, nint fd, byte* buffer, nint length, nint flags, nint address, nint addressLength);

    [LibraryImport("libc", EntryPoint = "read")]
    public static partial nint Read(int fd, void* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "write")]
    public static partial nint Write(int fd, void* buffer, nint length);

    [LibraryImport("libc", EntryPoint = "socket")]
    public static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind")]
    public static partial int Bind(int fd, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "listen")]
    public static partial int Listen(int fd, int backlog);

    [LibraryImport("libc", EntryPoint = "accept4")]
    public static partial int Accept(int fd, byte* address, int* length, int flags);

    /// <summary>The next connection, non-blocking, without the peer's address; negative when there is none.</summary>
    public static int Accept(int fd) => Accept(fd, null, null, NonBlockCloExec);

    [LibraryImport("libc", EntryPoint = "connect")]
    public static partial int Connect(int fd, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "getsockname")]
    public static partial int GetSocketName(int fd, byte* address, int* length);

    [LibraryImport("libc", EntryPoint = "setsockopt")]
    public static partial int SetOption(int fd, int level, int option, void* value, int length);

    [LibraryImport("libc", EntryPoint = "getsockopt")]
    public static partial int GetOption(int fd, int level, int option, void* value, int* length);

    [LibraryImport("libc", EntryPoint = "shutdown")]
    public static partial int Shutdown(int fd, int how);

    public const int SetPipeSize = 1031;

    [LibraryImport("libc", EntryPoint = "pipe2")]
    public static partial int Pipe(int* ends, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    public static partial int Control(int fd, int command, nint argument);

    // SPLICE_F_MOVE | SPLICE_F_NONBLOCK: pages change hands where they can, and nobody waits. Past the point of cancellation, as above.
    public static nint Splice(int from, int to, nint most) => Call6(SpliceNumber, from, null, to, null, most, 1 | 2);

    private static readonly nint SpliceNumber = IsX64 ? 275 : 76;

    [LibraryImport("libc", EntryPoint = "syscall"), SuppressGCTransition]
    private static partial nint Call6(nint number, nint from, long* fromOffset, nint to, long* toOffset, nint most, nint flags);

    [LibraryImport("libc", EntryPoint = "close")]
    public static partial int Close(int fd);

    public static void SetFlag(int fd, int level, int option)
    {
        int one = 1;
        _ = SetOption(fd, level, option, &one, sizeof(int));
    }

    /// <summary>Makes a later close send RST instead of FIN.</summary>
    public static void SetResetOnClose(int fd)
    {
        long onWithZeroSeconds = 1; // struct linger { int onoff = 1; int linger = 0; }
        _ = SetOption(fd, SolSocket, SoLinger, &onWithZeroSeconds, sizeof(long));
    }
}
