"""What runs in one folder have shown so far; each run adds to it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.chaos.checks import Verdict
from tests.chaos.perturbations import RECOVERY_WANTED_S

WRONG_SHOWN_MAX = 20


@dataclass
class Report:
    """Sums over all runs in the folder."""

    seeds: list[int] = field(default_factory=list)
    kills: int = 0
    rounds: int = 0
    all_at_once: int = 0
    perturbations: dict[str, int] = field(default_factory=dict)
    recovery_s: list[float] = field(default_factory=list)
    errors: int = 0
    """Calls that ended in an error: the transaction may or may not be in the chain."""

    @staticmethod
    def load(path: Path) -> "Report":
        """The report so far; an empty one when there is none."""
        return (
            Report(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Report()
        )

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    def add_perturbations(self, done: dict[str, int]) -> None:
        for kind, count in done.items():
            self.perturbations[kind] = self.perturbations.get(kind, 0) + count

    def lines(self, verdict: Verdict) -> list[str]:
        """What a run prints."""
        found = [f"seeds            {', '.join(map(str, self.seeds))}"]
        if self.kills:
            found.append(
                f"kills            {self.kills} in {self.rounds} rounds,"
                f" {self.all_at_once} rounds all at once"
            )
        if self.perturbations:
            counts = ", ".join(f"{kind} {n}" for kind, n in sorted(self.perturbations.items()))
            found.append(f"perturbations    {counts}")
        told = f"{verdict.acknowledged} transactions, lost {verdict.lost}"
        held = f"{verdict.height} blocks, {verdict.transactions} transactions"
        found += [
            f"acknowledged     {told}; {self.errors} calls failed",
            f"equivocations    {verdict.equivocations}",
            f"recovery         {self._recovery()}",
            f"chain            {held}, state hash {verdict.state_hash[:16]} on all",
        ]
        wrong = [f"WRONG            {one}" for one in verdict.wrong[:WRONG_SHOWN_MAX]]
        return found + wrong + ([] if wrong else ["verdict          good"])

    def _recovery(self) -> str:
        if not self.recovery_s:
            return "not measured"
        ordered = sorted(self.recovery_s)
        late = sum(one > RECOVERY_WANTED_S for one in ordered)
        p50, p99 = (ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in (50, 99))
        return (
            f"p50 {p50:.1f} s, p99 {p99:.1f} s, longest {ordered[-1]:.1f} s;"
            f" {late} of {len(ordered)} over {RECOVERY_WANTED_S:.0f} s"
        )
