"""`gridledger chaincode check MODULE`: what would make peers disagree, before it is packaged."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from chaincode.shim.determinism import module_findings
from chaincode.shim.errors import DefinitionError

FOUND, WRONG_USE = 1, 2


def main(
    arguments: Sequence[str], output: TextIO | None = None, errors: TextIO | None = None
) -> int:
    """Print one line for each finding; 0: none, 1: some, 2: no such module."""
    options = _options().parse_args(arguments)
    output, errors = output or sys.stdout, errors or sys.stderr
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        found = module_findings(options.module)
    except DefinitionError as error:
        errors.write(f"gridledger chaincode check: {error}\n")
        return WRONG_USE
    for finding in found:
        output.write(f"{finding}\n")
    if found:
        output.write(
            f"{len(found)} place{'s' if len(found) > 1 else ''} where peers may differ;"
            " a line that is fine says why in a comment: # deterministic: …\n"
        )
        return FOUND
    output.write(f"{options.module}: nothing found that would differ between peers\n")
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger chaincode check",
        description="Reads a contract module, and what it imports of its own package, for clocks,"
        " randomness, floating-point numbers, set order, files, threads and the like.",
    )
    parser.add_argument("module", help="module with CONTRACTS = (…), such as market.contracts")
    return parser
