"""One place in a contract's source where peers may come to differ."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Line and column count from 1, as editors do; `message` says what to write instead."""

    filename: str
    line: int
    column: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}:{self.column}: {self.rule}: {self.message}"
