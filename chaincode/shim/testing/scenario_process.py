"""One run of a scenario in a process of its own; `double_run` starts two.

python -m chaincode.shim.testing.scenario_process MODULE FUNCTION FILE
"""

import json
import sys
from importlib import import_module
from pathlib import Path

from chaincode.shim.testing.memory_ledger import TestLedger


def main(module: str, function: str, record: str) -> None:
    """Run the function and write its ledger's calls to the file, as JSON."""
    ledger = getattr(import_module(module), function)()
    if not isinstance(ledger, TestLedger):
        raise SystemExit(f"{module}.{function} must return its TestLedger")
    calls = [(call.function, call.message, call.payload.hex()) for call in ledger.record]
    Path(record).write_text(json.dumps(calls))


if __name__ == "__main__":
    main(*sys.argv[1:])
