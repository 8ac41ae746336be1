"""CPU time of a process that is not ours to ask, read from /proc."""

import os
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat behind the name, which may itself contain spaces.
_USER_TICKS, _SYSTEM_TICKS = 11, 12


def process_cpu_s(pid: int) -> float:
    """Seconds so far, of all its threads."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = text.rpartition(")")[2].split()
    return (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / _TICKS_PER_SECOND
