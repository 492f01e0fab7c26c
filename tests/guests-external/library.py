"""A library in Python: JSON-RPC 2.0 on its standard streams, a line each way, and everything that its walls are tried with."""

import ctypes
import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
STARTED = {"calls": 0}


def attempt(action):
    """What came of it: what it gave, or the kernel's word against it."""
    try:
        return {"did": action()}
    except OSError as error:
        return {"refused": errno.errorcode.get(error.errno, str(error.errno))}


def read(path):
    with open(path, "rb") as file:
        return len(file.read())


def write(path, text="x"):
    with open(path, "w") as file:
        return file.write(text)


def statistics(numbers):
    return {"count": len(numbers), "sum": sum(numbers), "mean": sum(numbers) / len(numbers)}


def spin():
    while True:
        pass


def spin_deaf():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    spin()


def eat():
    held = []
    while True:
        held.append(bytearray(1 << 20))


def stack():
    return resource.getrlimit(resource.RLIMIT_STACK)[0]


def say(line, end="\n"):
    sys.stdout.write(line + end)
    sys.stdout.flush()


def flood():
    piece = "x" * 65536
    while True:
        sys.stdout.write(piece)


def threads(count):
    done = []

    def work(number):
        done.append(number)

    started = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return sorted(done)


def thread_bomb():
    held = 0
    threading.stack_size(65536)
    try:
        while True:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            held += 1
    except RuntimeError:
        return held


def socket_in_thread():
    thread = threading.Thread(target=lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    thread.start()
    thread.join()


def connect(family, address):
    return lambda: socket.socket(family, socket.SOCK_STREAM).connect(address)


def syscall(number, *arguments):
    result = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def child():
    """Starts a process of its own that would go on for long."""
    subprocess.Popen(["/bin/sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return True


def executable_memory():
    memory = LIBC.mmap(None, 4096, 7, 0x22, -1, 0)
    return memory != -1


def mappable(path):
    """Whether a file's pages can be made executable."""
    with open(path, "rb") as file:
        LIBC.mmap.restype = ctypes.c_void_p
        memory = LIBC.mmap(None, ctypes.c_size_t(4096), 5, 2, file.fileno(), ctypes.c_long(0))
        if memory == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "refused")
        return True


CALLS = {
    "echo": lambda *values: list(values),
    "statistics": statistics,
    "calls": lambda: STARTED["calls"],
    "pid": os.getpid,
    "environment": lambda: dict(os.environ),
    "where": lambda: {"folder": os.getcwd(), "args": sys.argv, "root": attempt(lambda: os.listdir("/"))},
    "limits": lambda: {"stack": stack(), "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0]},
    "read": lambda path: attempt(lambda: read(path)),
    "write": lambda path: attempt(lambda: write(path)),
    "list": lambda path: attempt(lambda: sorted(os.listdir(path))),
    "exists": os.path.exists,
    "complain": lambda text: sys.stderr.write(text),
    "sleep": time.sleep,
    "spin": spin,
    "spin_deaf": spin_deaf,
    "eat": eat,
    "exit": lambda code: os._exit(code),
    "abort": os.abort,
    "close_output": lambda: os.close(1) or time.sleep(60),
    "long": lambda count: "x" * count,
    "flood": flood,
    "threads": threads,
    "thread_bomb": thread_bomb,
    "socket_in_thread": socket_in_thread,
    "connect_v4": connect(socket.AF_INET, ("127.0.0.1", 80)),
    "connect_v6": connect(socket.AF_INET6, ("::1", 80)),
    "connect_unix": connect(socket.AF_UNIX, "/run/systemd/private"),
    "connect_abstract": connect(socket.AF_UNIX, "\0casemate"),
    "socketpair": socket.socketpair,
    "fork": os.fork,
    "child": child,
    "user": lambda: [os.getuid(), os.geteuid()],
    "connect": lambda port: attempt(lambda: connect(socket.AF_INET, ("127.0.0.1", port))()),
    "execute": lambda: os.execv("/bin/ls", ["ls"]),
    "spawn": lambda: os.posix_spawn("/bin/ls", ["ls"], {}),
    "system": lambda: os.system("true"),
    "kill_parent": lambda: os.kill(1, signal.SIGKILL),
    "signal_other": lambda: signal.pthread_kill and syscall(SYSCALLS["tgkill"], 1, 1, 9),
    "ptrace": lambda: LIBC.ptrace(16, 1, 0, 0),
    "setuid": lambda: os.setuid(0),
    "chroot": lambda: os.chroot("/"),
    "mount": lambda: LIBC.mount(b"x", b"/tmp", b"tmpfs", 0, None),
    "unshare": lambda: LIBC.unshare(0x10000000),
    "set_user_id": lambda: os.chmod(sys.argv[0] if len(sys.argv) < 2 else sys.argv[1], 0o4755),
    "memfd": lambda: os.memfd_create("x"),
    "executable_memory": executable_memory,
    "mappable": lambda path: attempt(lambda: mappable(path)),
    "syscall": lambda name: syscall(SYSCALLS[name], 0, 0, 0, 0, 0, 0),
}

SYSCALLS = {
    "x86_64": {
        "tgkill": 234, "keyctl": 250, "bpf": 321, "io_uring_setup": 425, "perf_event_open": 298, "userfaultfd": 323,
        "process_vm_readv": 310, "pidfd_open": 434, "setns": 308, "add_key": 248, "seccomp": 317, "vfork": 58,
        "execveat": 322, "open_by_handle_at": 304, "prctl": 157,
    },
    "aarch64": {
        "tgkill": 131, "keyctl": 219, "bpf": 280, "io_uring_setup": 425, "perf_event_open": 241, "userfaultfd": 282,
        "process_vm_readv": 270, "pidfd_open": 434, "setns": 268, "add_key": 217, "seccomp": 277, "vfork": 220,
        "execveat": 281, "open_by_handle_at": 265, "prctl": 167,
    },
}[os.uname().machine]

METADATA = {"name": "library", "version": "1.0.0", "functions": sorted(CALLS)}


def answer(request):
    """The result; what is wrong is raised."""
    method, params = request["method"], request.get("params", {})
    if method == "library.metadata":
        return METADATA
    if method == "library.doc":
        return "A library for tests."
    if method == "library.call":
        STARTED["calls"] += 1
        return CALLS[params["function"]](*params.get("args", []))
    if method == "library.check":
        holds = CALLS[params["function"]](*params.get("args", []))
        return "Pass" if holds else {"Fail": f"{params['function']} does not hold"}
    raise LookupError(method)


def misbehave(request):
    """Answers as no program should. Whether it was one of those."""
    params = request.get("params", {})
    lie = params.get("lie") if isinstance(params, dict) else None
    good = {"jsonrpc": "2.0", "id": request["id"], "result": 1}
    lies = {
        "no_json": lambda: say("hello"),
        "wrong_id": lambda: say(json.dumps({**good, "id": request["id"] + 1})),
        "text_id": lambda: say(json.dumps({**good, "id": str(request["id"])})),
        "both": lambda: say(json.dumps({**good, "error": {"code": 1, "message": "x"}})),
        "neither": lambda: say(json.dumps({"jsonrpc": "2.0", "id": request["id"]})),
        "old": lambda: say(json.dumps({**good, "jsonrpc": "1.0"})),
        "bytes": lambda: os.write(1, b"\xff\xfe\x00\n"),
        "deep": lambda: say("[" * 200000),
        "asks": lambda: (
            say(json.dumps({"jsonrpc": "2.0", "id": "q", "method": "host.secrets"})),
            say(json.dumps({"jsonrpc": "2.0", "method": "progress", "params": [1]})),
            say(json.dumps({**good, "result": json.loads(sys.stdin.readline())["error"]["code"]})),
        ),
        "null": lambda: say(json.dumps({**good, "result": None})),
    }
    if lie in lies:
        lies[lie]()
    return lie in lies


def main():
    for line in sys.stdin:
        request = json.loads(line)
        if misbehave(request):
            continue
        response = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            response["result"] = answer(request)
        except LookupError as error:
            response["error"] = {"code": -32601, "message": f"there is no {error}"}
        except MemoryError:
            response["error"] = {"code": -32000, "message": "out of memory"}
        except Exception as error:
            response["error"] = {"code": -32000, "message": f"{type(error).__name__}: {error}"}
        say(json.dumps(response))


main()
