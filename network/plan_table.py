"""Reading a plan's TOML tables: a mistake is a `PlanError` that begins with its field."""

import re
from collections.abc import Mapping


class PlanError(ValueError):
    """The plan breaks a rule; the text begins with the field."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class PlanTable:
    """A TOML table that knows its own name and which of its keys were read."""

    def __init__(self, path: str, table: Mapping[str, object]) -> None:
        self._path = path
        self._table = table
        self._read: set[str] = set()

    def _field(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _get(self, key: str) -> object | None:
        self._read.add(key)
        return self._table.get(key)

    def table(self, key: str, *, required: bool = True) -> "PlanTable":
        """A table below this one; an empty one if it is not there and not required."""
        value = self._get(key)
        if value is None and not required:
            value = {}
        if not isinstance(value, dict):
            raise PlanError(self._field(key), f"a table [{key}] is needed")
        return PlanTable(self._field(key), value)

    def tables(self, key: str, least: int, most: int) -> list["PlanTable"]:
        """An array of tables of bounded length; without a least number it may be missing."""
        value = self._get(key)
        if value is None and least == 0:
            value = []
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise PlanError(self._field(key), f"[[{key}]] tables are needed")
        if not least <= len(value) <= most:
            raise PlanError(self._field(key), f"{least} to {most} are needed, got {len(value)}")
        return [
            PlanTable(f"{self._field(key)}[{index}]", entry) for index, entry in enumerate(value)
        ]

    def text(self, key: str, pattern: re.Pattern[str], *, default: str | None = None) -> str:
        """Text that matches the whole pattern."""
        value = self._get(key)
        if value is None:
            value = default
        if value is None:
            raise PlanError(self._field(key), "is missing")
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise PlanError(
                self._field(key), f"must be text like {pattern.pattern}, got {value!r}"
            )
        return value

    def optional_integer(self, key: str, least: int, most: int) -> int | None:
        """A whole number if the key is there."""
        return self.integer(key, least, most) if key in self._table else None

    def integer(self, key: str, least: int, most: int, *, default: int | None = None) -> int:
        """A whole number between bounds."""
        value = self._get(key)
        if value is None:
            value = default
        if value is None:
            raise PlanError(self._field(key), "is missing")
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise PlanError(
                self._field(key), f"must be a whole number from {least} to {most}, got {value!r}"
            )
        return value

    def problem(self, key: str, what: str) -> PlanError:
        """What is wrong with a value, to be raised."""
        return PlanError(self._field(key), what)

    def refuse_unknown(self) -> None:
        """Raise unless every key was read."""
        unknown = sorted(set(self._table) - self._read)
        if unknown:
            raise PlanError(self._field(unknown[0]), "is not a known field")
