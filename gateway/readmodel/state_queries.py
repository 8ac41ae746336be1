"""Questions about the contracts' public world state."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, func, select

from gateway.readmodel.records import StateEntry
from gateway.readmodel.snapshots import Snapshots
from gateway.readmodel.tables import StateRow
from ledger.model.rwset import Version


class StateQueries(Snapshots):
    """Part of `ReadModel`."""

    def value(self, key: str, *, namespace: str | None = None) -> bytes | None:
        """Current public value of a key of the contracts (or of another namespace)."""
        found = self.entry(key, namespace=namespace)
        return None if found is None else found.value

    def entry(self, key: str, *, namespace: str | None = None) -> StateEntry | None:
        """The same value with the version that wrote it."""
        wanted = select(StateRow.value, StateRow.block_number, StateRow.tx_index).where(
            StateRow.namespace == (namespace or self.namespace), StateRow.key == key.encode()
        )
        with self.connection() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            return None
        return StateEntry(row.value, Version(row.block_number, row.tx_index))

    def entries(
        self, prefix: str, *, namespace: str | None = None
    ) -> Iterator[tuple[str, StateEntry]]:
        """Keys that begin with `prefix`, ascending."""
        wanted = (
            select(StateRow.key, StateRow.value, StateRow.block_number, StateRow.tx_index)
            .where(*_under(prefix, namespace or self.namespace))
            .order_by(StateRow.key)
        )
        with self.connection() as connection:
            found = connection.execute(wanted).all()
        return (
            (key.decode(), StateEntry(value, Version(block_number, tx_index)))
            for key, value, block_number, tx_index in found
        )

    def newest_block_under(self, prefix: str) -> int:
        """The last block that wrote a present key beginning with `prefix`; -1 if none is there."""
        newest = func.coalesce(func.max(StateRow.block_number), -1)
        wanted = select(newest).where(*_under(prefix, self.namespace))
        with self.connection() as connection:
            return int(connection.execute(wanted).scalar_one())


def _under(prefix: str, namespace: str) -> list[ColumnElement[bool]]:
    start = prefix.encode()
    bounds = [StateRow.namespace == namespace, StateRow.key >= start]
    end = _after_prefix(start)
    if end:
        bounds.append(StateRow.key < end)
    return bounds


def _after_prefix(prefix: bytes) -> bytes:
    """The first key behind all that begin with `prefix`; empty if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else b""
