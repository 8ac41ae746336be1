"""The MicroPython of these tests: its Unix port, pinned in requirements.lock, with a board's heap.

Where that wheel does not exist (other processors), a `micropython` on the path serves.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware" / "src"
CHECKS = Path(__file__).parent / "checks"
HEAP = "192k"
RUN_S_MAX = 240


def micropython_command(heap: str = HEAP) -> list[str]:
    """How MicroPython is started with a limit on its heap."""
    if importlib.util.find_spec("micropython_unix") is not None:
        return [sys.executable, "-m", "micropython_unix", "-X", f"heapsize={heap}"]
    program = shutil.which("micropython")
    assert program is not None, "no MicroPython: install requirements.lock, or micropython"
    return [program, "-X", f"heapsize={heap}"]


def run_micropython(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script to its end in a folder; the caller looks at status and output."""
    return subprocess.run(
        [*micropython_command(), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
