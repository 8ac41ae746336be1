"""`gridledger peer run`: one validator in the foreground of its own process."""

import faulthandler
import logging
import os
import sys
from pathlib import Path

import uvloop

from ledger.errors import GridledgerError
from ledger.node.peer import run_peer
from ledger.node.telemetry import configure_logging

EXIT_FAULT = 1

log = logging.getLogger(__name__)


def run_peer_process(config_path: Path) -> int:
    """Run until a signal says stop (status 0) or a fault does (status 1).

    Why it ended is the last line on standard error; without one it was killed.
    """
    if not __debug__:
        print("assertions are safety checks: run without -O and PYTHONOPTIMIZE", file=sys.stderr)
        return EXIT_FAULT
    _keep_own_standard_error()
    configure_logging()
    try:
        signal_name = uvloop.run(run_peer(config_path))
    except (GridledgerError, OSError) as error:
        # In one line: whoever found the fault has logged its traceback where that tells more.
        log.error("ended by a fault: %s: %s", type(error).__name__, error)  # noqa: TRY400
        return EXIT_FAULT
    log.info("ended by a signal: %s", signal_name)
    return 0


def _keep_own_standard_error() -> None:
    """Python goes on writing where it did when native code's errors are led elsewhere."""
    descriptor = os.dup(sys.stderr.fileno())
    sys.stderr = os.fdopen(descriptor, "w", buffering=1, errors="backslashreplace")
    faulthandler.enable(sys.stderr)
