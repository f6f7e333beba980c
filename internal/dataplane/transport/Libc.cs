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
    public const int Eintr = 4, Eagain = 11, Enomem = 12, Enfile = 23, Emfile = 24, Enobufs = 105, Einprogress = 115, Ecanceled = 125;
    public const int AfUnix = 1, AfInet = 2, AfInet6 = 10;
    public const int SockStreamNonBlockCloExec = 1 | 0x800 | 0x80000, NonBlockCloExec = 0x800 | 0x80000, CloExec = 0x80000;
    public const int SolSocket = 1, SoReuseAddr = 2, SoError = 4, SoKeepAlive = 9, SoLinger = 13, SoReusePort = 15;
    public const int IpProtoTcp = 6, TcpNoDelay = 1, IpProtoIpv6 = 41, Ipv6V6Only = 26;
    public const int MsgPeek = 0x2, MsgTrunc = 0x20, MsgNoSignal = 0x4000;
    public const int ShutWrite = 1;

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    public struct EpollEvent
    {
        public uint Events;
        public ulong Data;
    }

    public static int Errno => Marshal.GetLastSystemError();

    [LibraryImport("libc", EntryPoint = "epoll_create1")]
    public static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl")]
    public static partial int EpollControl(int epoll, int operation, int fd, EpollEvent* e);

    [LibraryImport("libc", EntryPoint = "epoll_wait")]
    public static partial int EpollWait(int epoll, EpollEvent* events, int count, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "eventfd")]
    public static partial int EventFd(uint value, int flags);

    [LibraryImport("libc", EntryPoint = "recv"), SuppressGCTransition]
    public static partial nint Receive(int fd, byte* buffer, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "send"), SuppressGCTransition]
    public static partial nint Send(int fd, byte* buffer, nint length, int flags);

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
