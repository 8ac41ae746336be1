"""One oracle job: decode, fetch, parse, encode, submit; each step is logged under its request.

The steps are those of the source document's job (002:426). A job is described by data (`JobSpec`):
which address answers a kind of question, where in the JSON the value stands, and by what it is
multiplied to become the contract's whole number (kWh to Wh: 1000).
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from chaincode.energy.oracle.records import OracleRequest
from chaincode.energy.oracle.requests import ANSWER_MAX
from gateway.strict_json import BadJson, parse_strictly

STEPS_KEPT = 10_000
DETAIL_CHARACTERS_MAX = 200
DECODE, FETCH, PARSE, ENCODE, SUBMIT = STEPS = ("decode", "fetch", "parse", "encode", "submit")
EXPIRE = "expire"


class JobFailed(Exception):  # noqa: N818 - an outcome of a job, not a fault of this process
    """A step did not work; `may_retry` tells whether trying again may help."""

    def __init__(self, step: str, detail: str, *, may_retry: bool) -> None:
        super().__init__(f"{step}: {detail}")
        self.step = step
        self.detail = detail
        self.may_retry = may_retry


@dataclass(frozen=True, slots=True)
class JobSpec:
    """How questions of one kind are answered.

    `url` has the fields `{subject}` and `{at_ms}`; `token` is sent as a bearer token if not
    empty; `value_path` leads through JSON objects; the value times `times`, rounded down, is
    submitted.
    """

    kind: str
    url: str
    token: str = ""
    value_path: tuple[str, ...] = ("value",)
    times: int = 1


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


async def run_until_submit(
    asked: OracleRequest, specs: dict[str, JobSpec], source: Fetching, log: RunLog
) -> int:
    """The steps before the transaction; returns the number to submit, or raises `JobFailed`."""
    spec = _decoded(asked, specs)
    log.note(asked.request_id, DECODE, f"{asked.kind} {asked.subject} at {asked.at_ms}")
    url = spec.url.format(subject=quote(asked.subject, safe=""), at_ms=asked.at_ms)
    body = await source.get(url, spec.token)
    log.note(asked.request_id, FETCH, f"{url}: {len(body)} bytes")
    found = parse_value(body, spec.value_path)
    log.note(asked.request_id, PARSE, f"{'.'.join(spec.value_path)} is {found}")
    value = encoded(found, times=spec.times)
    log.note(asked.request_id, ENCODE, str(value))
    return value


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
