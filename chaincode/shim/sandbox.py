"""What a chaincode process may not do: limits set once, before contract code is loaded.

Address space, CPU seconds, file size, open files and processes are resource limits. A system
call filter (Linux seccomp, no privileges needed) refuses new processes, programs, sockets and
tracing with EPERM; where the kernel or the machine type has none, `deny_system_calls` says so.
This contains mistakes. Contract code is still installed only by approval of the members.
"""

import ctypes
import os
import platform
import resource
import signal
import struct

PROCESSES_MAX = 16
OPEN_FILES_MAX = 64
FILE_BYTES_MAX = 16 * 1024 * 1024

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
SECCOMP_ALLOW = 0x7FFF0000
SECCOMP_EPERM = 0x00050001

# Berkeley packet filter instructions.
LOAD_WORD = 0x20
JUMP_IF_EQUAL = 0x15
RETURN = 0x06
OFFSET_NUMBER, OFFSET_MACHINE = 0, 4

DENIED = {
    # fork vfork clone clone3 execve execveat socket socketpair ptrace kill tkill tgkill mount
    # unshare setns process_vm_readv process_vm_writev bpf io_uring_setup
    "x86_64": (
        0xC000003E,
        (57, 58, 56, 435, 59, 322, 41, 53, 101, 62, 200, 234, 165, 272, 308, 310, 311, 321, 425),
    ),
    "aarch64": (
        0xC00000B7,
        (220, 435, 221, 281, 198, 199, 117, 129, 130, 131, 40, 97, 268, 270, 271, 280, 425),
    ),
}
"""Machine: (audit architecture, system call numbers)."""


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def die_with_parent(parent_pid: int) -> None:
    """Be killed when the peer dies, even if it died before this call."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        raise SystemExit("the peer that started this chaincode is gone")


def limit_resources(*, memory_bytes: int, cpu_seconds: int = 0) -> None:
    """Set hard resource limits; `cpu_seconds` 0 means no limit over the process's life."""
    limits = [
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, FILE_BYTES_MAX),
        (resource.RLIMIT_NOFILE, OPEN_FILES_MAX),
        (resource.RLIMIT_CORE, 0),
    ]
    if cpu_seconds:
        limits.append((resource.RLIMIT_CPU, cpu_seconds))
    if os.geteuid() != 0:  # counted per user; root's count is neither limited nor meaningful
        limits.append((resource.RLIMIT_NPROC, PROCESSES_MAX))
    for name, value in limits:
        hard = resource.getrlimit(name)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (allowed, allowed))


def deny_system_calls() -> bool:
    """Refuse processes, programs and sockets from here on; False where that is not possible."""
    machine = platform.machine()
    if machine not in DENIED or os.name != "posix":
        return False
    architecture, numbers = DENIED[machine]
    program = _program(architecture, numbers)
    buffer = ctypes.create_string_buffer(program, len(program))
    wanted = _FilterProgram(len(program) // 8, ctypes.addressof(buffer))
    try:
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(wanted))
    except OSError:
        return False
    return True


def _program(architecture: int, numbers: tuple[int, ...]) -> bytes:
    """A filter: wrong architecture or a denied number gives EPERM, the rest is allowed."""
    count = len(numbers)
    lines = [
        (LOAD_WORD, 0, 0, OFFSET_MACHINE),
        (JUMP_IF_EQUAL, 0, count + 2, architecture),
        (LOAD_WORD, 0, 0, OFFSET_NUMBER),
        *[(JUMP_IF_EQUAL, count - i, 0, number) for i, number in enumerate(numbers)],
        (RETURN, 0, 0, SECCOMP_ALLOW),
        (RETURN, 0, 0, SECCOMP_EPERM),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _prctl(option: int, *arguments: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if library.prctl(ctypes.c_int(option), *values) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")
