"""What a scenario tells while it runs, and the figures it is measured by."""

from collections.abc import Callable
from dataclasses import dataclass, field


class Differs(Exception):  # noqa: N818 - what was found
    """A figure of the run is not the documented one."""


def silent(line: str) -> None:
    """Where the lines go when nobody reads them."""
    del line


@dataclass(slots=True)
class Story:
    """One run, told step by step; `figures` keeps every figure that was compared."""

    tell: Callable[[str], None] = silent
    figures: dict[str, object] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    """Refusal code -> its text, of every attempt that had to be refused."""
    steps: int = 0

    def step(self, text: str) -> None:
        """Something happens."""
        self.steps += 1
        self.tell(f"{self.steps:>3}. {text}")

    def note(self, text: str) -> None:
        """A detail of the step before."""
        self.tell(f"       {text}")

    def figure(self, name: str, found: object, documented: object, unit: str = "") -> None:
        """A figure the documents give; `Differs` unless the run has the same."""
        self.figures[name] = found
        shown = f"{found} {unit}".rstrip()
        if found != documented:
            raise Differs(f"{name}: {shown}, the document says {documented} {unit}".rstrip())
        self.tell(f"       = {name}: {shown}")

    def refused(self, code: str, text: str) -> None:
        """An attempt that had to fail, with the reason a person reads."""
        self.refusals[code] = text
        self.tell(f"       refused: {text} [{code}]")
