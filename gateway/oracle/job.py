"""One oracle job: decode, fetch, parse, check signature, encode, submit; each step is logged.

A job is described by data (`JobSpec`): which address answers a kind of question, where in the JSON
the value stands, and by what it is multiplied to become the contract's whole number (kWh to Wh:
1000). What a meter measured must be what it signed; nobody signs a state of charge or a price, for
which the agreement of k of n oracles stands alone.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from chaincode.energy.hours import HOUR_MS
from chaincode.energy.oracle.records import OracleRequest
from chaincode.energy.oracle.requests import ANSWER_MAX
from chaincode.energy.oracle.subjects import SMART_METER
from chaincode.energy.registry.records import Meter
from gateway.oracle.signed import check_metered
from gateway.oracle.steps import CHECK_SIGNATURE, DECODE, ENCODE, FETCH, PARSE, JobFailed
from gateway.strict_json import BadJson, parse_strictly

STEPS_KEPT = 10_000
DETAIL_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class JobSpec:
    """How questions of one kind are answered.

    `url` has the fields `{subject}` and `{at_ms}`; `token` is sent as a bearer token if not
    empty; `value_path` leads through JSON objects; the value times `times`, rounded down, is
    submitted. `hour_ms` is how long the market's hour is, of which a meter's answer is.
    """

    kind: str
    url: str
    token: str = ""
    value_path: tuple[str, ...] = ("value",)
    times: int = 1
    hour_ms: int = HOUR_MS


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the run log."""

    request_id: str
    step: str
    is_done: bool
    detail: str
    at_ms: int


class RunLog:
    """What every job did: the last steps in memory and, if there is a file, all as JSON lines."""

    def __init__(self, clock_ms: Callable[[], int], file: Path | None = None) -> None:
        self._clock_ms = clock_ms
        self._file = file
        self.steps: deque[Step] = deque(maxlen=STEPS_KEPT)

    def note(self, request_id: str, step: str, detail: str, *, is_done: bool = True) -> None:
        """Add a line."""
        line = Step(request_id, step, is_done, detail[:DETAIL_CHARACTERS_MAX], self._clock_ms())
        self.steps.append(line)
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as log:
                log.write(json.dumps(asdict(line)) + "\n")

    def of(self, request_id: str) -> list[Step]:
        """The steps of one request, in order."""
        return [step for step in self.steps if step.request_id == request_id]


class Fetching(Protocol):
    """Reads an address; `gateway.oracle.http_source` does it over HTTP."""

    async def get(self, url: str, token: str) -> bytes:
        """The body of the answer; raises `JobFailed` with step `fetch`."""


class MeterRecords(Protocol):
    """Records of meters as the ledger has them."""

    async def meter(self, meter_id: str) -> Meter:
        """Its owner, key and tier; raises `JobFailed` with step `check signature`."""


async def run_until_submit(
    asked: OracleRequest,
    specs: dict[str, JobSpec],
    source: Fetching,
    meters: MeterRecords,
    log: RunLog,
) -> int:
    """The steps before the transaction; returns the number to submit, or raises `JobFailed`."""
    spec = _decoded(asked, specs)
    log.note(asked.request_id, DECODE, f"{asked.kind} {asked.subject} at {asked.at_ms}")
    url = spec.url.format(subject=quote(asked.subject, safe=""), at_ms=asked.at_ms)
    body = await source.get(url, spec.token)
    log.note(asked.request_id, FETCH, f"{url}: {len(body)} bytes")
    found = parse_value(body, spec.value_path)
    log.note(asked.request_id, PARSE, f"{'.'.join(spec.value_path)} is {found}")
    signed = await _checked_signature(asked, spec, body, found, meters)
    log.note(asked.request_id, CHECK_SIGNATURE, signed)
    value = encoded(found, times=spec.times)
    log.note(asked.request_id, ENCODE, str(value))
    return value


async def _checked_signature(
    asked: OracleRequest, spec: JobSpec, body: bytes, found: Decimal, meters: MeterRecords
) -> str:
    """What was found good; raises `JobFailed`."""
    if asked.kind != SMART_METER:
        return f"nobody signs a {asked.kind}: {asked.quorum} of {len(asked.members)} must agree"
    meter = await meters.meter(asked.subject)
    return check_metered(parse_strictly(body), meter, found, asked.at_ms, spec.hour_ms)


def parse_value(body: bytes, path: tuple[str, ...]) -> Decimal:
    """The number at the path, exactly as written; raises `JobFailed`."""
    try:
        parse_strictly(body)
        content: Any = json.loads(body, parse_float=Decimal)
    except BadJson as error:
        raise JobFailed(PARSE, str(error), may_retry=True) from error
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    if isinstance(content, bool) or not isinstance(content, int | Decimal):
        raise JobFailed(PARSE, f"there is no number at {'.'.join(path)}", may_retry=True)
    return Decimal(content)


def encoded(value: Decimal, *, times: int) -> int:
    """The contract's whole number, rounded down; raises `JobFailed` outside its range."""
    if not 0 <= value * times <= ANSWER_MAX:
        raise JobFailed(ENCODE, f"{value} is out of range", may_retry=False)
    return int(value * times)


def _decoded(asked: OracleRequest, specs: dict[str, JobSpec]) -> JobSpec:
    spec = specs.get(asked.kind)
    if spec is None:
        raise JobFailed(DECODE, f"no job for {asked.kind}", may_retry=False)
    return spec
