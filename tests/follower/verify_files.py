"""`python -m tests.follower.verify_files BLOCK...`: the first is trusted, the others are verified.

Prints who signed each of the others, as JSON; or, with status 1, what is wrong with the first bad
one.
"""

import json
import sys
from pathlib import Path

from fabric_protos.common import common_pb2

from tests.follower.blocks import BlockVerifier
from tests.follower.refusal import Refused


def main() -> int:
    """Verify the files named."""
    first, *others = [Path(name).read_bytes() for name in sys.argv[1:]]
    verifier = BlockVerifier(first)
    signers = []
    for number, raw in enumerate(others, start=1):
        try:
            signers.append(verifier.accept(common_pb2.Block.FromString(raw)))
        except Refused as refused:
            sys.stderr.write(f"block {number}: {refused}\n")
            return 1
    sys.stdout.write(json.dumps(signers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
