"""Questions to the read model, each a method of `ReadModel`; see the package's text for an index.

Every method reads one state of the database. Inside `with readmodel.at_one_height():` several of
them read the same one: their answers then fit together even while blocks arrive.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection, Select, and_, case, or_, select, tuple_

from gateway.database import Database
from gateway.readmodel import rows
from gateway.readmodel.records import (
    BlockRecord,
    EventRecord,
    IdentityRecord,
    Position,
    Slice,
    StateEntry,
    TransactionRecord,
)
from gateway.readmodel.tables import (
    Activity,
    BlockBytes,
    BlockRow,
    Identity,
    Progress,
    StateRow,
    TransactionRow,
)
from ledger.model.block import Block
from ledger.model.codec_block import decode_block
from ledger.model.codes import ValidationCode
from ledger.model.rwset import Version

PAGE_MAX = 500
"""Rows of one page."""


class _Snapshot:
    """A connection that is opened by the first question, in the thread that asks it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open = ExitStack()
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection, open now."""
        if self._connection is None:
            self._connection = self._open.enter_context(self._database.reading())
        return self._connection

    def close(self) -> None:
        """Give the connection back."""
        self._open.close()


class ReadModel:
    """The ledger up to `height`, out of the database. Calls block."""

    def __init__(self, database: Database, namespace: str) -> None:
        self.database = database
        self.namespace = namespace
        self._snapshot: ContextVar[_Snapshot | None] = ContextVar("snapshot", default=None)

    @contextmanager
    def at_one_height(self) -> Iterator[None]:
        """Everything that is read inside, by this request or thread, is of one height."""
        if self._snapshot.get() is not None:
            yield
            return
        snapshot = _Snapshot(self.database)
        token = self._snapshot.set(snapshot)
        try:
            yield
        finally:
            self._snapshot.reset(token)
            snapshot.close()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """For the query modules: the connection of `at_one_height`, or one for this question."""
        with self.at_one_height():
            snapshot = self._snapshot.get()
            assert snapshot is not None, "at_one_height has set it"
            yield snapshot.connection

    @property
    def height(self) -> int:
        """How many blocks are applied; the next one has this number."""
        with self.connection() as connection:
            return connection.execute(select(Progress.height)).scalar_one()

    # -- world state ------------------------------------------------------------------------------

    def value(self, key: str, *, namespace: str | None = None) -> bytes | None:
        """Current public value of a key of the contracts (or of another namespace)."""
        wanted = select(StateRow.value).where(
            StateRow.namespace == (namespace or self.namespace), StateRow.key == key.encode()
        )
        with self.connection() as connection:
            return connection.execute(wanted).scalar_one_or_none()

    def entries(
        self, prefix: str, *, namespace: str | None = None
    ) -> Iterator[tuple[str, StateEntry]]:
        """Keys that begin with `prefix`, ascending."""
        start = prefix.encode()
        wanted = (
            select(StateRow.key, StateRow.value, StateRow.block_number, StateRow.tx_index)
            .where(StateRow.namespace == (namespace or self.namespace), StateRow.key >= start)
            .order_by(StateRow.key)
        )
        end = _after_prefix(start)
        if end:
            wanted = wanted.where(StateRow.key < end)
        with self.connection() as connection:
            found = connection.execute(wanted).all()
        return (
            (key.decode(), StateEntry(value, Version(block_number, tx_index)))
            for key, value, block_number, tx_index in found
        )

    # -- blocks -----------------------------------------------------------------------------------

    def block(self, number: int) -> BlockRecord | None:
        """A block by number."""
        return self._one_block(select(BlockRow).where(BlockRow.number == number))

    def block_by_hash(self, digest: bytes) -> BlockRecord | None:
        """A block by the hash of its header."""
        return self._one_block(select(BlockRow).where(BlockRow.hash == digest))

    def blocks(self, below: int | None, limit: int) -> Slice[BlockRecord]:
        """Blocks with numbers under `below` (None: the newest), newest first."""
        wanted = select(BlockRow).order_by(BlockRow.number.desc()).limit(_rows(limit) + 1)
        if below is not None:
            wanted = wanted.where(BlockRow.number < below)
        with self.connection() as connection:
            found = [rows.block(row) for row in connection.execute(wanted)]
        following = str(found[limit - 1].number) if len(found) > limit else None
        return Slice(found[:limit], following)

    def block_bytes(self, number: int) -> bytes | None:
        """A block as it was delivered, seals and codes included."""
        wanted = select(BlockBytes.raw).where(BlockBytes.number == number)
        with self.connection() as connection:
            return connection.execute(wanted).scalar_one_or_none()

    def whole_block(self, number: int) -> Block | None:
        """A block with its entries, decoded."""
        raw = self.block_bytes(number)
        return None if raw is None else decode_block(raw)

    # -- transactions -----------------------------------------------------------------------------

    def transaction(self, tx_id: str) -> TransactionRecord | None:
        """What became of a transaction: the valid record if there is one, else the first."""
        is_invalid = case((TransactionRow.code == ValidationCode.VALID, 0), else_=1)
        wanted = (
            select(TransactionRow)
            .where(TransactionRow.tx_id == tx_id)
            .order_by(is_invalid, TransactionRow.block_number, TransactionRow.tx_index)
            .limit(1)
        )
        return next(iter(self._transactions(wanted)), None)

    def transactions_of_block(self, number: int) -> list[TransactionRecord]:
        """All entries of a block, in its order."""
        return self._transactions(
            select(TransactionRow)
            .where(TransactionRow.block_number == number)
            .order_by(TransactionRow.tx_index)
        )

    def transaction_ids(self, first_block: int, last_block: int) -> dict[int, list[str]]:
        """Ids of the readable entries of blocks first to last, by block, in their order."""
        found: dict[int, list[str]] = {}
        wanted = (
            select(TransactionRow.block_number, TransactionRow.tx_id)
            .where(
                TransactionRow.block_number.between(first_block, last_block),
                TransactionRow.tx_id != "",
            )
            .order_by(TransactionRow.block_number, TransactionRow.tx_index)
        )
        with self.connection() as connection:
            for number, tx_id in connection.execute(wanted):
                found.setdefault(number, []).append(tx_id)
        return found

    def transactions(
        self,
        *,
        below: Position | None = None,
        limit: int,
        function: str | None = None,
        member: str | None = None,
        code: ValidationCode | None = None,
    ) -> Slice[TransactionRecord]:
        """Transactions before a place on the ledger, newest first."""
        wanted = select(TransactionRow)
        if function is not None:
            wanted = wanted.where(TransactionRow.function == function)
        if member is not None:
            wanted = wanted.where(TransactionRow.member == member)
        if code is not None:
            wanted = wanted.where(TransactionRow.code == code)
        return self._page(wanted, below, limit)

    def activity(
        self, idgrid: str, *, below: Position | None = None, limit: int
    ) -> Slice[TransactionRecord]:
        """Transactions that a household signed or that wrote its keys, newest first."""
        wanted = select(TransactionRow).join(
            Activity,
            and_(
                Activity.block_number == TransactionRow.block_number,
                Activity.tx_index == TransactionRow.tx_index,
            ),
        )
        return self._page(wanted.where(Activity.idgrid == idgrid), below, limit)

    def identity(self, digest: bytes) -> IdentityRecord | None:
        """Who signed, by `TransactionRecord.creator`."""
        with self.connection() as connection:
            row = connection.execute(
                select(Identity).where(Identity.digest == digest)
            ).one_or_none()
        return None if row is None else rows.identity(row)

    # -- events -----------------------------------------------------------------------------------

    def events_of(self, block_number: int) -> list[EventRecord]:
        """What the valid transactions of a block announced, in its order."""
        return self._events(
            _announcements()
            .where(TransactionRow.block_number == block_number)
            .order_by(TransactionRow.tx_index)
        )

    def events_after(
        self, position: Position | None, limit: int, *, names: Sequence[str] = ()
    ) -> list[EventRecord]:
        """Events behind a place on the ledger, oldest first: how a consumer resumes."""
        place = (TransactionRow.block_number, TransactionRow.tx_index)
        wanted = _announcements().order_by(*place).limit(_rows(limit))
        if position is not None:
            wanted = wanted.where(
                or_(
                    place[0] > position.block_number,
                    and_(place[0] == position.block_number, place[1] > position.index),
                )
            )
        if names:
            wanted = wanted.where(TransactionRow.event_name.in_(names))
        return self._events(wanted)

    # -- how it is asked --------------------------------------------------------------------------

    def _one_block(self, wanted: Select[BlockRow]) -> BlockRecord | None:
        with self.connection() as connection:
            row = connection.execute(wanted.limit(1)).one_or_none()
        return None if row is None else rows.block(row)

    def _transactions(self, wanted: Select[TransactionRow]) -> list[TransactionRecord]:
        with self.connection() as connection:
            return [rows.transaction(row) for row in connection.execute(wanted)]

    def _page(
        self, wanted: Select[TransactionRow], below: Position | None, limit: int
    ) -> Slice[TransactionRecord]:
        place = (TransactionRow.block_number, TransactionRow.tx_index)
        if below is not None:
            wanted = wanted.where(tuple_(*place) < (below.block_number, below.index))
        wanted = wanted.order_by(place[0].desc(), place[1].desc()).limit(_rows(limit) + 1)
        found = self._transactions(wanted)
        following = str(found[limit - 1].position) if len(found) > limit else None
        return Slice(found[:limit], following)

    def _events(self, wanted: Select[TransactionRow]) -> list[EventRecord]:
        return [rows.event(record) for record in self._transactions(wanted)]


def _announcements() -> Select[TransactionRow]:
    return select(TransactionRow).where(
        TransactionRow.code == ValidationCode.VALID, TransactionRow.event_name != ""
    )


def _after_prefix(prefix: bytes) -> bytes:
    """The first key behind all that begin with `prefix`; empty if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else b""


def _rows(limit: int) -> int:
    if not 0 < limit <= PAGE_MAX:
        raise ValueError(f"a page has 1 to {PAGE_MAX} rows")
    return limit
