"""Running a scenario twice, under two hash seeds, to see whether both peers would agree.

    def scenario() -> TestLedger: …        # at module level; submits and evaluates, no pytest

    def test_the_same_everywhere():
        run_twice(scenario)

Each run is a process of its own, so that hash(), sets, addresses and module state differ as they
do between peers. Every call must give the same bytes: reads, writes, event and result.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chaincode.shim.errors import ShimError
from chaincode.shim.testing.memory_ledger import TestLedger
from chaincode.shim.testing.simulation import RecordedCall
from ledger.model.codec_action import decode_proposal_response_payload
from ledger.model.rwset import ReadWriteSet

RUN_MODULE = "chaincode.shim.testing.scenario_process"
HASH_SEEDS = (1, 2)
TIMEOUT_S = 600.0


class ResultsDiffer(ShimError):  # noqa: N818 - what was found
    """Two processes ran the same calls and one got another result."""


@dataclass(frozen=True, slots=True)
class DoubleRun:
    """How many calls were compared."""

    calls: int


def run_twice(scenario: Callable[[], TestLedger], *, timeout_s: float = TIMEOUT_S) -> DoubleRun:
    """Run a module-level function in two processes and compare all calls of its ledger.

    ResultsDiffer names the first call that differs and the keys; RuntimeError if a run fails.
    """
    first, second = (_run(scenario, seed, timeout_s) for seed in HASH_SEEDS)
    for number, (one, other) in enumerate(zip(first, second, strict=False), 1):
        if one != other:
            raise ResultsDiffer(f"call {number}, {one.function}: {_difference(one, other)}")
    if len(first) != len(second):
        raise ResultsDiffer(f"{len(first)} calls in one process, {len(second)} in the other")
    return DoubleRun(len(first))


def _run(scenario: Callable[[], TestLedger], seed: int, timeout_s: float) -> list[RecordedCall]:
    if "." in scenario.__qualname__:
        raise ValueError(f"{scenario.__qualname__} is not a function at module level")
    environment = {
        **os.environ,
        "PYTHONHASHSEED": str(seed),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        ended = subprocess.run(  # noqa: S603 - our own interpreter and module
            [
                *(sys.executable, "-m", RUN_MODULE),
                *(scenario.__module__, scenario.__qualname__, str(record)),
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if ended.returncode != 0:
            raise RuntimeError(f"the run with hash seed {seed} failed:\n{ended.stdout}")
        return [
            RecordedCall(function, message, bytes.fromhex(payload))
            for function, message, payload in json.loads(record.read_text())
        ]


def _difference(one: RecordedCall, other: RecordedCall) -> str:
    if one.message != other.message:
        return f"{one.message!r} in one process, {other.message!r} in the other"
    if not one.payload or not other.payload:
        return "endorsed in one process, refused in the other"
    found = [decode_proposal_response_payload(call.payload)[1] for call in (one, other)]
    first, second = (list(_entries(action.results)) for action in found)
    different = [entry for entry in first if entry not in second]
    different += [entry for entry in second if entry not in first]
    if different:
        names = sorted({f"{what} {key!r}" for what, key, _ in different})
        return ", ".join(names) + " differ"
    return "the event or the result differs"


def _entries(results: ReadWriteSet) -> Iterator[tuple[str, str, object]]:
    """(what, key, content) of everything in a read-write set."""
    for namespace in results.namespaces:
        yield from (("read", read.key, read.version) for read in namespace.reads)
        yield from (("write", write.key, write) for write in namespace.writes)
        yield from (("policy", write.key, write) for write in namespace.metadata_writes)
        yield from (("scan", query.start_key, query) for query in namespace.range_queries)
        yield from (("collection", c.collection, c) for c in namespace.collections)
