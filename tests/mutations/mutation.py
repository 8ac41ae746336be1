"""What a catalogued mistake is, and what must catch it."""

from dataclasses import dataclass

from tests.mutations.planting import Edit

CORE = "ledger.consensus"
REFUSED = "refusal"
"""The simulator's alarm without a number: an honest validator refused an honest one's message."""


@dataclass(frozen=True, slots=True)
class Search:
    """Random schedules of the simulator that must find the mistake.

    `breaks`: the invariants of which one must be broken; any other does not count.
    """

    breaks: tuple[str, ...]
    validators: int = 4
    profile: str = "safety"
    liars: bool = False
    """In every schedule f validators lie: some rules only a liar can break."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mistake. `test` is the named check that must fail while it is planted."""

    number: str
    bug: str
    edits: tuple[Edit, ...]
    test: str
    """Node id below tests/; it passes on the shipped code."""
    says: str = ""
    """Part of the text it must fail with; any failed assertion will do without it."""
    like: str = ""
    """Who had it."""
    search: Search | None = None


def core(where: str, old: str, new: str) -> Edit:
    """An edit in the consensus core: `where` is "module:function"."""
    return Edit(f"{CORE}.{where}", old, new)
