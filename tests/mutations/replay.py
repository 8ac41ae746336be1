"""Every planted mistake against its named checks: the test, and the seed that found it before."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutations.mutation import Mutation
from tests.mutations.named_tests import Verdict, run_named_tests
from tests.mutations.planting import StaleEdit
from tests.mutations.search import Found, hunt, read_found, violation_of

QUICK_SCHEDULES = 50
"""Seeds of mistakes that took longer to find are replayed only when everything is."""
TRIED_AGAIN = 3 * QUICK_SCHEDULES
"""Schedules searched anew when a recorded seed finds nothing in a changed world."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one mistake."""

    number: str
    bug: str
    like: str
    test: str
    failure: str
    """How the named test fails with it; empty if it does not."""
    trouble: str
    """Why the test proves nothing, or what the recorded seed does wrong."""
    invariant: str
    """Broken in a replayed seed; empty when none was replayed."""
    schedules: int
    """How many random schedules it took when it was measured; 0: not found, or not measured."""
    tried: int

    @property
    def is_killed(self) -> bool:
        return bool(self.failure) and not self.trouble


def judge_all(mutations: Sequence[Mutation], *, every_seed: bool) -> list[Judgement]:
    """Run the named tests, then replay the seeds (all that were recorded, or the quick ones)."""
    verdicts = run_named_tests(mutations)
    logging.disable(logging.CRITICAL)  # pytest let nodes speak again
    recorded = read_found()
    judged = []
    for mutation in mutations:
        found = recorded.get(mutation.number, Found())
        is_wanted = found.is_found and (every_seed or found.schedules <= QUICK_SCHEDULES)
        replayed = _replay(mutation, found) if is_wanted and mutation.search else ("", "")
        judged.append(_judgement(mutation, verdicts[mutation.number], found, replayed))
    return judged


def _replay(mutation: Mutation, found: Found) -> tuple[str, str]:
    """(invariant broken, what is wrong)."""
    assert mutation.search is not None, "seeds are recorded for searches only"
    alone = violation_of(mutation.search, found.seed)
    if alone:
        return "", f"seed {found.seed} breaks {alone} without the mistake"
    try:
        again = hunt(mutation, [found.seed])
        if not again.is_found:
            again = hunt(mutation, range(TRIED_AGAIN))
    except StaleEdit as error:
        return "", str(error)
    if not again.is_found:
        return "", f"seed {found.seed} and {TRIED_AGAIN} others find nothing: measure again"
    return again.invariant, ""


def _judgement(
    mutation: Mutation, verdict: Verdict, found: Found, replayed: tuple[str, str]
) -> Judgement:
    invariant, trouble = replayed
    if not verdict.passes_shipped:
        trouble = "the test fails on the shipped code"
    return Judgement(
        number=mutation.number,
        bug=mutation.bug,
        like=mutation.like,
        test=mutation.test,
        failure=verdict.failure,
        trouble=verdict.surprise or trouble,
        invariant=invariant,
        schedules=found.schedules,
        tried=found.tried,
    )


def write_json(path: Path, judged: Iterable[Judgement]) -> None:
    """For the test that asks for all of them at once."""
    path.write_text(json.dumps([asdict(one) for one in judged]), encoding="utf-8")


def read_json(path: Path) -> dict[str, Judgement]:
    """By number."""
    return {entry["number"]: Judgement(**entry) for entry in json.loads(path.read_text())}
