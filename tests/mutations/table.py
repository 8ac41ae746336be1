"""The table of planted mistakes, for people and for docs/reliability.md."""

from collections.abc import Sequence

from tests.mutations.mutation import Mutation
from tests.mutations.replay import Judgement
from tests.mutations.search import Found

HEAD = (
    "| # | planted mistake | like | caught by | schedules until random search finds it |",
    "|---|---|---|---|---|",
)


def catalogue_lines(mutations: Sequence[Mutation]) -> list[str]:
    """What there is, without running anything."""
    return [f"{m.number:5} {m.bug}{f' ({m.like})' if m.like else ''}" for m in mutations]


def table_lines(judged: Sequence[Judgement]) -> list[str]:
    """One row for each mistake and the count."""
    rows = [_row(one) for one in judged]
    killed = sum(one.is_killed for one in judged)
    share = 100 * killed // len(judged)
    survivors = [f"SURVIVES: {one.number} {one.bug} {one.trouble}" for one in judged]
    survivors = [line for line, one in zip(survivors, judged, strict=True) if not one.is_killed]
    total = f"{killed} of {len(judged)} planted mistakes caught, each by a named check: {share} %"
    return [*HEAD, *rows, "", *survivors, total]


def _row(one: Judgement) -> str:
    caught = _short(one.test)
    if one.invariant:
        caught += f", {one.invariant}"
    verdict = caught if one.is_killed else f"**survives** {caught}"
    cells = (one.number, one.bug, one.like, verdict, schedules_text(one.schedules, one.tried))
    return f"| {' | '.join(cells)} |"


def schedules_text(schedules: int, tried: int) -> str:
    """A number, or in how many schedules nothing was found."""
    if schedules:
        return str(schedules)
    return f"not in {tried}" if tried else ""


def _short(test: str) -> str:
    file, name = test.split("::")
    return f"`{file.rsplit('/', 1)[-1].removesuffix('.py')}` {name.removeprefix('test_')}"


def search_line(mutation: Mutation, found: Found) -> str:
    """One line while a search runs."""
    what = f"{found.invariant} at seed {found.seed}" if found.is_found else "nothing"
    others = f"; other alarms: {', '.join(found.others)}" if found.others else ""
    return (
        f"{mutation.number:5} {what} after {found.tried} schedules ({found.seconds:.1f} s){others}"
    )
