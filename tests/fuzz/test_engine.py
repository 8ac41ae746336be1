"""The engine finds what it is there to find, and the same again with the same seed."""

import time

import pytest

from ledger.errors import InvalidMessage, Reason
from tests.fuzz import samples
from tests.fuzz.engine import MEMORY_PER_INPUT_MAX, Attempt, FuzzTarget, Shape, run
from tests.fuzz.registry import TARGETS
from tests.fuzz.wire_mutation import read_message, write_message

SEED = b'{"name": "energy", "depth": 3}'


def target(attempt: Attempt, shape: Shape = Shape.BYTES) -> FuzzTarget:
    return FuzzTarget("planted", "a mistake", lambda: [SEED], lambda: attempt, 4_096, shape=shape)


def findings(attempt: Attempt, shape: Shape = Shape.BYTES) -> list[str]:
    report = run(target(attempt, shape), inputs=4_000)
    return [finding.problem for finding in report.findings]


def test_an_unexpected_exception_is_found():
    def attempt(data: bytes) -> None:
        if b"depth" not in data:
            raise IndexError("planted")
        raise InvalidMessage(Reason.MALFORMED, "as it should")

    assert findings(attempt) == ["raises IndexError: planted"]


def test_an_exception_that_needs_several_steps_is_found_by_building_on_new_answers():
    def attempt(data: bytes) -> str:
        depth = len(data) - len(data.lstrip(b"["))
        if depth >= 600:
            raise RecursionError
        return f"{'-' * (depth // 20)} deep"

    assert findings(attempt, Shape.TEXT) == ["raises RecursionError: "]


def test_an_input_that_takes_too_long_is_found():
    def attempt(data: bytes) -> None:
        end = time.thread_time() + (0.06 if len(data) > 2 * len(SEED) else 0)
        while time.thread_time() < end:
            pass

    [problem] = findings(attempt)
    assert problem.endswith("ms, 50 are allowed")


def test_an_input_that_takes_much_memory_is_found():
    held = []

    def attempt(data: bytes) -> None:
        if len(data) > 2 * len(SEED):
            # More than whatever this process used at most so far.
            held.extend(b"m" * (1 << 20) for _ in range(8 * MEMORY_PER_INPUT_MAX >> 20))

    [problem] = findings(attempt)
    assert problem.endswith("MiB of memory")


def test_the_same_seed_gives_the_same_inputs():
    def inputs(seed: int) -> list[bytes]:
        seen: list[bytes] = []
        run(target(seen.append, Shape.TEXT), seed=seed, inputs=200)
        return seen

    assert inputs(1) == inputs(1)
    assert inputs(1) != inputs(2)


def test_no_input_is_over_its_target_s_limit():
    longest: list[int] = []
    run(target(lambda data: longest.append(len(data))), inputs=1_000)
    assert max(longest) == 4_096


def test_a_message_without_change_is_written_as_it_was_read():
    for raw in (*samples.transactions(), *samples.consensus_messages()):
        message = read_message(raw)
        assert message is not None
        assert write_message(message) == raw


@pytest.mark.parametrize("name", ["signed-proposal", "core", "policy-text"])
def test_real_inputs_come_first_and_are_accepted(name):
    [chosen] = [one for one in TARGETS if one.name == name]
    report = run(chosen, inputs=len(chosen.seeds()))
    assert all(not answer.startswith("InvalidMessage") for answer in report.answers)
