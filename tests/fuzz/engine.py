"""The fuzz engine: real messages, changed again and again, handed to one piece of the product.

A target names what it feeds, real inputs to begin with, and the errors that piece may answer
with. Everything else is a finding: another exception, more than `BUDGET_MS` of processor time
for one input, or memory that one input took and that is far beyond the input's size.

Runs are deterministic: the same target, seed and number of inputs give the same inputs. An input
that gets an answer nobody got before joins the corpus, so that changes build on each other.
"""

import re
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from random import Random

from ledger.errors import InvalidMessage, TransactionInvalid
from tests.fuzz.byte_mutation import change_bytes, splice
from tests.fuzz.text_mutation import change_text, fill_text
from tests.fuzz.wire_mutation import Message, change_message, fill, read_message, write_message

BUDGET_MS = 50
"""Processor time one input may take."""
REPEATS_BEFORE_SLOW = 4
"""A slow input is run again so often; only one that is slow each time is a finding."""
MEMORY_PER_INPUT_MAX = 64 * 1024 * 1024
"""How far one input may raise the process's highest memory use, in bytes."""
CORPUS_MAX = 512
KEPT_BYTES_MAX = 32 * 1024
"""Longer inputs do not join the corpus: changing them takes too long."""
CHANGES = (1, 1, 1, 1, 2, 2, 3, 6)
FILL_EVERY = 60
"""One in so many inputs is blown up to the target's size limit."""
BYTES_AFTERWARDS = 0.1
PLAIN_BYTES = 0.1
SPLICES = 0.1
"""Shares of inputs that are changed, also or only, as plain bytes."""
REGRESSIONS = Path(__file__).parent / "regressions"

_PARTICULARS = re.compile(r"""'[^']*'|"[^"]*"|[0-9a-fx]{2,}|[0-9]+""")
ACCEPTED = "accepted"
Attempt = Callable[[bytes], object]
"""Takes one input; may return a word for what became of it."""
Allowed = tuple[type[BaseException], ...]

REFUSALS: Allowed = (InvalidMessage, TransactionInvalid)
"""What bytes from outside may be answered with."""


class Shape(StrEnum):
    """How inputs are changed beside plain bytes."""

    WIRE = "protobuf"
    TEXT = "text"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class FuzzTarget:
    """One piece of the product and what is thrown at it."""

    name: str
    about: str
    seeds: Callable[[], Sequence[bytes]]
    """Real inputs; most of them should be accepted."""
    prepare: Callable[[], Attempt]
    """Makes what takes one input; called once per run."""
    limit_bytes: int
    """The size up to which this piece accepts inputs at all."""
    allowed: Allowed = REFUSALS
    shape: Shape = Shape.WIRE
    dictionary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that got an answer it must not get."""

    target: str
    problem: str
    data: bytes

    @property
    def file_name(self) -> str:
        """Where the input belongs below `regressions`."""
        return f"{sha256(self.data).hexdigest()[:16]}.bin"


@dataclass(slots=True)
class Report:
    """What a run did."""

    target: str
    inputs: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    findings: list[Finding] = field(default_factory=list)


def run(
    target: FuzzTarget,
    *,
    seed: int = 0,
    inputs: int | None = None,
    seconds: float | None = None,
    findings_max: int = 1,
    budget_ms: int = BUDGET_MS,
) -> Report:
    """Try inputs until the time is over, the number is reached or enough was found."""
    report = Report(target.name)
    attempt = target.prepare()
    corpus = _Corpus(target, seed)
    ends_at = None if seconds is None else time.monotonic() + seconds
    for data in corpus.inputs():
        outcome = judge(target, attempt, data, report, budget_ms=budget_ms)
        report.inputs += 1
        if isinstance(outcome, Finding):
            report.findings.append(outcome)
        elif report.answers[outcome] == 0:
            corpus.keep(data)
        report.answers[outcome if isinstance(outcome, str) else "FOUND"] += 1
        enough = len(report.findings) >= findings_max or report.inputs == inputs
        if enough or (ends_at is not None and time.monotonic() >= ends_at):
            return report
    raise AssertionError("inputs never end")


def judge(
    target: FuzzTarget,
    attempt: Attempt,
    data: bytes,
    report: Report,
    *,
    budget_ms: int = BUDGET_MS,
) -> Finding | str:
    """Try one input: what it was answered with, or why that is wrong."""
    peak = _peak_memory_bytes()
    answer, took_ms = _try(target, attempt, data)
    grown = _peak_memory_bytes() - peak
    if isinstance(answer, Finding):
        return answer
    if grown > MEMORY_PER_INPUT_MAX:
        return Finding(target.name, f"takes {grown >> 20} MiB of memory", data)
    for _ in range(REPEATS_BEFORE_SLOW):
        if took_ms <= budget_ms:
            break
        took_ms = min(took_ms, _try(target, attempt, data)[1])
    if took_ms > budget_ms:
        return Finding(target.name, f"takes {took_ms:.0f} ms, {budget_ms} are allowed", data)
    report.slowest_ms = max(report.slowest_ms, took_ms)
    return answer


def regression_inputs(target: FuzzTarget) -> list[bytes]:
    """Inputs that once were findings."""
    folder = REGRESSIONS / target.name
    return [path.read_bytes() for path in sorted(folder.glob("*.bin"))]


def _try(target: FuzzTarget, attempt: Attempt, data: bytes) -> tuple[Finding | str, float]:
    started = time.thread_time()
    answer: Finding | str
    try:
        result = attempt(data)
        answer = result if isinstance(result, str) else ACCEPTED
    except target.allowed as error:
        answer = answer_kind(type(error).__name__, str(error))
    except Exception as error:  # noqa: BLE001 - any other exception is what we look for
        answer = Finding(target.name, f"raises {type(error).__name__}: {error}", data)
    return answer, (time.thread_time() - started) * 1000


def answer_kind(name: str, text: str) -> str:
    """An answer without what differs from input to input."""
    return f"{name}: {_PARTICULARS.sub('#', text)[:120]}"


def _peak_memory_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@dataclass(slots=True)
class _Kept:
    """An input to begin with, read as a message once."""

    data: bytes
    message: Message | None


class _Corpus:
    """Inputs in a fixed order: the seeds as they are, then changed ones for ever."""

    def __init__(self, target: FuzzTarget, seed: int) -> None:
        self._target = target
        self._rng = Random(f"{seed}:{target.name}")
        self._kept: list[_Kept] = []
        self._seeds = tuple(target.seeds())
        assert self._seeds, f"{target.name} needs real inputs"
        for data in self._seeds:
            self._add(data)

    def keep(self, data: bytes) -> None:
        """Use an input as a beginning too."""
        if len(self._kept) < CORPUS_MAX and len(data) <= KEPT_BYTES_MAX:
            self._add(data)

    def inputs(self) -> Iterator[bytes]:
        """Every one within the target's limit."""
        yield from self._seeds
        change = {Shape.WIRE: self._wire, Shape.TEXT: self._text, Shape.BYTES: self._bytes}
        make = change[self._target.shape]
        while True:
            kept = self._rng.choice(self._kept)
            changes = self._rng.choice(CHANGES)
            is_filled = self._rng.randrange(FILL_EVERY) == 0
            data = make(kept, changes, is_filled=is_filled)
            if self._rng.random() < BYTES_AFTERWARDS:
                data = change_bytes(data, self._rng)
            yield data[: self._target.limit_bytes]

    def _add(self, data: bytes) -> None:
        message = read_message(data) if self._target.shape is Shape.WIRE else None
        self._kept.append(_Kept(data, message))

    def _wire(self, kept: _Kept, changes: int, *, is_filled: bool) -> bytes:
        message = kept.message
        if message is None or self._rng.random() < PLAIN_BYTES:
            return self._bytes(kept, changes, is_filled=is_filled)
        for _ in range(changes):
            message = change_message(message, self._rng)
        if is_filled:
            message = fill(message, self._rng, self._target.limit_bytes - len(kept.data))
        return write_message(message)

    def _text(self, kept: _Kept, changes: int, *, is_filled: bool) -> bytes:
        text = kept.data.decode("utf-8", "surrogateescape")
        for _ in range(changes):
            text = change_text(text, self._rng, self._target.dictionary)
        if is_filled:
            text = fill_text(text, self._rng, self._target.limit_bytes - len(kept.data))
        return text.encode("utf-8", "surrogateescape")

    def _bytes(self, kept: _Kept, changes: int, *, is_filled: bool) -> bytes:
        data = kept.data
        for _ in range(changes):
            if self._rng.random() < SPLICES:
                data = splice(data, self._rng.choice(self._kept).data, self._rng)
            else:
                data = change_bytes(data, self._rng)
        if is_filled:
            data += self._rng.randbytes(1) * (self._target.limit_bytes - len(data))
        return data
