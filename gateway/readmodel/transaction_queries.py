"""Questions about transactions, who signed them and what they announced."""

from collections.abc import Sequence

from sqlalchemy import Select, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import aliased

from gateway.readmodel import rows
from gateway.readmodel.records import (
    EventRecord,
    IdentityRecord,
    Position,
    Slice,
    TransactionRecord,
)
from gateway.readmodel.snapshots import Snapshots, page_rows
from gateway.readmodel.tables import IS_INVALID, Activity, Identity, TransactionRow
from ledger.model.codes import ValidationCode


class TransactionQueries(Snapshots):
    """Part of `ReadModel`."""

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

    def announcing(self, *, below: Position | None = None, limit: int) -> Slice[TransactionRecord]:
        """Valid transactions that announced an event, before a place, newest first."""
        return self._page(_announcements(), below, limit)

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

    def invalid_of(self, idgrid: str, *, limit: int) -> list[TransactionRecord]:
        """What a household signed and a block has as invalid, newest first."""
        place = (TransactionRow.block_number, TransactionRow.tx_index)
        signers = select(Identity.digest).where(Identity.idgrid == idgrid)
        return self._transactions(
            select(TransactionRow)
            .where(TransactionRow.creator.in_(signers), IS_INVALID)
            .order_by(place[0].desc(), place[1].desc())
            .limit(limit)
        )

    def readable(self, idgrid: str, first_block: int, last_block: int) -> set[Position]:
        """Places in blocks first to last that a household reads; see `_readers`."""
        wanted = _readers().where(
            Activity.idgrid == idgrid, Activity.block_number.between(first_block, last_block)
        )
        with self.connection() as connection:
            return {Position(row.block_number, row.tx_index) for row in connection.execute(wanted)}

    def readers_of(self, block_number: int) -> dict[int, set[str]]:
        """Index of a block's transactions → the households that read them; see `_readers`."""
        found: dict[int, set[str]] = {}
        wanted = _readers().where(Activity.block_number == block_number)
        with self.connection() as connection:
            for row in connection.execute(wanted):
                found.setdefault(row.tx_index, set()).add(row.idgrid)
        return found

    def identity(self, digest: bytes) -> IdentityRecord | None:
        """Who signed, by `TransactionRecord.creator`."""
        with self.connection() as connection:
            row = connection.execute(
                select(Identity).where(Identity.digest == digest)
            ).one_or_none()
        return None if row is None else rows.identity(row)

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
        wanted = _announcements().order_by(*place).limit(page_rows(limit))
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

    def _transactions(self, wanted: Select[TransactionRow]) -> list[TransactionRecord]:
        with self.connection() as connection:
            return [rows.transaction(row) for row in connection.execute(wanted)]

    def _page(
        self, wanted: Select[TransactionRow], below: Position | None, limit: int
    ) -> Slice[TransactionRecord]:
        place = (TransactionRow.block_number, TransactionRow.tx_index)
        if below is not None:
            wanted = wanted.where(tuple_(*place) < (below.block_number, below.index))
        wanted = wanted.order_by(place[0].desc(), place[1].desc()).limit(page_rows(limit) + 1)
        found = self._transactions(wanted)
        following = str(found[limit - 1].position) if len(found) > limit else None
        return Slice(found[:limit], following)

    def _events(self, wanted: Select[TransactionRow]) -> list[EventRecord]:
        return [rows.event(record) for record in self._transactions(wanted)]


def _announcements() -> Select[TransactionRow]:
    return select(TransactionRow).where(
        TransactionRow.code == ValidationCode.VALID, TransactionRow.event_name != ""
    )


def _readers() -> Select[str, int, int]:
    """(household, block, index) of whom a transaction concerns, without whom it says too much to.

    It is read by the household that signed it, and by the only other one that it concerns: of
    what concerns several (a settled page, a cleared book) none reads the others' figures.
    """
    signer = (
        select(Identity.idgrid)
        .join(TransactionRow, TransactionRow.creator == Identity.digest)
        .where(
            TransactionRow.block_number == Activity.block_number,
            TransactionRow.tx_index == Activity.tx_index,
        )
        .correlate(Activity)
        .scalar_subquery()
    )
    signed_by = func.coalesce(signer, "")
    other = aliased(Activity)
    others = (
        select(other.idgrid)
        .where(
            other.block_number == Activity.block_number,
            other.tx_index == Activity.tx_index,
            other.idgrid != Activity.idgrid,
            other.idgrid != signed_by,
        )
        .correlate(Activity)
        .exists()
    )
    return select(Activity.idgrid, Activity.block_number, Activity.tx_index).where(
        or_(Activity.idgrid == signed_by, ~others)
    )
