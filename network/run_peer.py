"""`gridledger peer run`: one validator in the foreground of its own process."""

import sys
from pathlib import Path

import uvloop

from ledger.errors import GridledgerError
from ledger.node.peer import run_peer

EXIT_FAULT = 1


def run_peer_process(config_path: Path) -> int:
    """Run until SIGTERM; a fault ends with status 1 and its cause on standard error."""
    if not __debug__:
        print("assertions are safety checks: run without -O and PYTHONOPTIMIZE", file=sys.stderr)
        return EXIT_FAULT
    try:
        uvloop.run(run_peer(config_path))
    except (GridledgerError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return EXIT_FAULT
    return 0
