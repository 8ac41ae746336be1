"""What running processes have used, read from /proc: CPU time and memory, children included."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Fields of /proc/<pid>/stat behind the name, which may itself contain spaces.
_PARENT, _USER_TICKS, _SYSTEM_TICKS = 1, 11, 12


@dataclass(frozen=True, slots=True)
class Usage:
    """One process: its command's first words, CPU seconds so far, memory now."""

    pid: int
    name: str
    cpu_s: float
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What some work took: seconds by the clock, and of CPU in all processes together."""

    wall_s: float
    cpu_s: float


def spending(roots: Sequence[int]) -> Callable[[], Spent]:
    """Starts counting; the function it returns tells what was spent since.

    CPU is that of the trees of `roots` and of this process.
    """
    everywhere = [*roots, os.getpid()]
    cpu_before, started = cpu_seconds(everywhere), time.perf_counter()

    def spent() -> Spent:
        wall_s = time.perf_counter() - started
        return Spent(round(wall_s, 3), round(cpu_seconds(everywhere) - cpu_before, 2))

    return spent


def usage_of_trees(roots: list[int]) -> list[Usage]:
    """The processes `roots` and all their living descendants."""
    parents = _parents()
    wanted = set(roots)
    while True:
        children = {pid for pid, parent in parents.items() if parent in wanted} - wanted
        if not children:
            break
        wanted |= children
    usages = (_usage(pid) for pid in sorted(wanted))
    return [usage for usage in usages if usage is not None]


def cpu_seconds(roots: list[int]) -> float:
    """CPU seconds used so far by the trees together."""
    return sum(usage.cpu_s for usage in usage_of_trees(roots))


def _parents() -> dict[int, int]:
    parents = {}
    for folder in Path("/proc").iterdir():
        fields = _stat(int(folder.name)) if folder.name.isdigit() else None
        if fields is not None:
            parents[int(folder.name)] = int(fields[_PARENT])
    return parents


def _usage(pid: int) -> Usage | None:
    fields = _stat(pid)
    if fields is None:
        return None
    ticks = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    words = [word.decode(errors="replace") for word in command if word]
    return Usage(pid, " ".join(words[-4:]), ticks / _TICKS_PER_SECOND, resident_bytes(pid))


def resident_bytes(pid: int) -> int:
    """Memory one process holds now; 0 when it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * _PAGE_BYTES


def _stat(pid: int) -> list[str] | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()
