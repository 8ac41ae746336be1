"""Sources of contracts, as packages bring them, and the check that reads them."""

from pathlib import Path

from chaincode.energy.market import clearing, orders, timing
from chaincode.energy.tokens import accounts
from chaincode.shim.determinism import findings
from tests.fuzz.engine import FuzzTarget, Shape

SOURCE_BYTES_MAX = 8 * 1024
"""Packages may hold 1 MiB each; parsing one of that size takes longer than an input may."""

WORDS = ("async def", "set(", "sorted(", "lambda:", "match x:", "global n", "import", "f'{x}'")


def _sources() -> list[bytes]:
    files = [module.__file__ for module in (accounts, clearing, orders, timing)]
    own = b"import time\nx = 0.5 / 2\nfor word in {'a', 'b'}:\n    print(hash(word))\n"
    return [own, *(Path(str(file)).read_bytes()[:SOURCE_BYTES_MAX] for file in files)]


TARGETS = (
    FuzzTarget(
        name="contract-source",
        about="a module of a chaincode package, read by the determinism check",
        seeds=_sources,
        prepare=lambda: lambda raw: [str(finding) for finding in findings(raw, "c.py")],
        limit_bytes=SOURCE_BYTES_MAX,
        allowed=(),
        shape=Shape.TEXT,
        dictionary=WORDS,
    ),
)
