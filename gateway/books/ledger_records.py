"""Typed records out of the read model's mirror of the contracts' state."""

import json
from typing import Any, TypeVar

from chaincode.energy import keys, records
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import StateEntry

T = TypeVar("T")


class LedgerRecords:
    """The contracts' records at the read model's height."""

    def __init__(self, readmodel: ReadModel) -> None:
        self._readmodel = readmodel

    @property
    def height(self) -> int:
        """Blocks the answers are based on."""
        return self._readmodel.height

    def under(self, *parts: str) -> list[tuple[str, StateEntry]]:
        """Keys that begin with these parts, and their values, by key."""
        prefix, _ = keys.under(*parts)
        return list(self._readmodel.entries(prefix))

    def changed_at(self, *parts: str) -> int:
        """The last block that wrote a key beginning with these parts; -1 if there is none."""
        prefix, _ = keys.under(*parts)
        return self._readmodel.newest_block_under(prefix)

    def all(self, kind: type[T], *parts: str) -> list[T]:
        """The records under these parts, by key."""
        return [records.decode(kind, entry.value) for _, entry in self.under(*parts)]

    def find(self, kind: type[T], key: str) -> T | None:
        """The record under a key."""
        raw = self._readmodel.value(key)
        return records.decode(kind, raw) if raw else None

    def entry(self, key: str) -> StateEntry | None:
        """The value under a key and the transaction that wrote it."""
        return self._readmodel.entry(key)

    def raw(self, key: str) -> bytes:
        """The value under a key as the contract wrote it; empty if there is none."""
        return self._readmodel.value(key) or b""

    def json(self, key: str) -> dict[str, Any] | None:
        """The JSON object under a key."""
        raw = self._readmodel.value(key)
        if not raw:
            return None
        content: dict[str, Any] = json.loads(raw)
        return content
