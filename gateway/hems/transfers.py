"""Transfers in the gateway's database: planned once per id, driven to their end across restarts.

Calls block. Only the process that collects sends commands; others may plan and read.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, RowMapping, insert, select, update

from gateway.database import Database
from gateway.hems.sending import SentCommands
from gateway.hems.series import next_number
from gateway.hems.tables import EnergyEventRow, TransferRow
from gateway.hems.transfer_rules import (
    OVER,
    Command,
    End,
    Transfer,
    TransferState,
    answered,
    commands,
    next_to_run,
    timed_out,
)
from gateway.mqtt.device_messages import Acknowledgement, EnergyEvent
from gateway.mqtt.transfer_notice import NoticeRefusal, TransferNotice

TRANSFERS_PER_PAGE_MAX = 1_000
_TRANSFERS = select(*TransferRow.__table__.columns)
_OVER_STATES = tuple(state.value for state in OVER)


class TransferBook:
    """All transfers, and what was sent when (that part only in memory)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sent = SentCommands()

    def plan(self, transfer: Transfer) -> bool:
        """Keep a transfer; False if its id is known already, whatever else it says."""
        return bool(self.plan_all([transfer]))

    def plan_all(self, transfers: Iterable[Transfer]) -> list[Transfer]:
        """Keep several, all of them or none, and return those that are new.

        Whoever looks whose turn it is sees all that share the time, not the first of them.
        """
        with self._database.writing() as connection:
            return [transfer for transfer in transfers if _is_new(connection, transfer)]

    def next_number(self) -> int:
        """The running number for the next transfer of the community."""
        with self._database.reading() as connection:
            return next_number(connection, TransferRow.number)

    def get(self, transfer_id: str) -> Transfer | None:
        """One transfer."""
        where = TransferRow.transfer_id == transfer_id
        with self._database.reading() as connection:
            row = connection.execute(_TRANSFERS.where(where)).mappings().first()
        return None if row is None else _transfer(row)

    def all(self) -> list[Transfer]:
        """The newest `TRANSFERS_PER_PAGE_MAX`, newest first."""
        wanted = _TRANSFERS.order_by(TransferRow.number.desc())
        with self._database.reading() as connection:
            rows = connection.execute(wanted.limit(TRANSFERS_PER_PAGE_MAX)).mappings()
            return [_transfer(row) for row in rows]

    def events(self, transfer_id: str) -> list[EnergyEvent]:
        """Starts and stops of a transfer as its nodes published them, each once."""
        where = EnergyEventRow.transfer_id == transfer_id
        wanted = select(EnergyEventRow.__table__).where(where).order_by(EnergyEventRow.number)
        with self._database.reading() as connection:
            rows = connection.execute(wanted).all()
        return [
            EnergyEvent(row.device_id, row.transfer_id, row.event, row.seconds, row.energy_mwh)
            for row in rows
        ]

    def note(
        self,
        answers: Sequence[Acknowledgement],
        events: Sequence[EnergyEvent],
        now_ms: int,
    ) -> list[Transfer]:
        """What nodes answered and published; answers to something else are left alone.

        Returns the transfers that are over with it.
        """
        ended: list[Transfer] = []
        if not answers and not events:
            return ended
        with self._database.writing() as connection:
            for answer in answers:
                where = TransferRow.transfer_id == answer.command_id
                found = connection.execute(_TRANSFERS.where(where)).mappings().first()
                if found is None:
                    continue
                before = _transfer(found)
                after = answered(before, answer)
                _save(connection, after)
                if after.state in OVER and before.state not in OVER:
                    ended.append(after)
            for event in events:
                _note_event(connection, event, now_ms)
        return ended

    def give_up(self, now_ms: int) -> list[Transfer]:
        """End those whose nodes did not answer in time, and return them."""
        with self._database.writing() as connection:
            open_ones = self._open(connection)
            changed = [
                after for before in open_ones if (after := timed_out(before, now_ms)) != before
            ]
            for transfer in changed:
                _save(connection, transfer)
        return [transfer for transfer in changed if transfer.state in OVER]

    def due(self, now_ms: int) -> list[Command]:
        """Commands to send now; what a turn changes is on disk before anything is sent."""
        with self._database.writing() as connection:
            running = next_to_run(self._open(connection), now_ms)
            for transfer in running:
                _save(connection, transfer)
        wanted = [command for transfer in running for command in commands(transfer, now_ms)]
        return self._sent.due(wanted, now_ms)

    def announce_next(self, now_ms: int) -> Transfer | None:
        """The first that runs and nobody was told of, noted as told before anybody is."""
        wanted = _TRANSFERS.where(
            TransferRow.state == TransferState.RUNNING.value,
            TransferRow.announced_ms.is_(None),
            TransferRow.until_ms > now_ms,
        )
        with self._database.writing() as connection:
            row = connection.execute(wanted.order_by(TransferRow.number).limit(1)).mappings()
            found = row.first()
            if found is None:
                return None
            where = TransferRow.transfer_id == found["transfer_id"]
            connection.execute(update(TransferRow).where(where).values(announced_ms=now_ms))
        return _transfer(found)

    def refusal_of(self, notice: TransferNotice) -> NoticeRefusal | None:
        """Why what somebody told is no transfer known here; None if it is one."""
        where = TransferRow.number == notice.number
        with self._database.reading() as connection:
            rows = connection.execute(_TRANSFERS.where(where)).mappings().all()
        if not rows:
            return NoticeRefusal.UNKNOWN
        told = (notice.energy_wh, notice.seller, notice.buyer)
        known = [(row["energy_wh"], row["seller"], row["buyer"]) for row in rows]
        return None if told in known else NoticeRefusal.DIFFERING

    @staticmethod
    def _open(connection: Connection) -> list[Transfer]:
        wanted = _TRANSFERS.where(TransferRow.state.not_in(_OVER_STATES))
        return [_transfer(row) for row in connection.execute(wanted).mappings()]


def plan_trades(
    trades: Iterable[tuple[str, str, str, int]],
    nodes: dict[str, str],
    *,
    segment: str,
    first_number: int,
    begins_ms: int,
    until_ms: int,
) -> list[Transfer]:
    """Transfers of a cleared listing's trades `(id, seller, buyer, energy_wh)` between nodes.

    `nodes`: IDgrid → device. Trades with a household that has no node need no relay. Pure.
    """
    between_nodes = [
        (trade_id, seller, buyer, energy_wh)
        for trade_id, seller, buyer, energy_wh in trades
        if seller in nodes and buyer in nodes and energy_wh > 0
    ]
    return [
        Transfer(
            transfer_id=trade_id,
            number=number,
            segment=segment,
            energy_wh=energy_wh,
            seller=End(seller, nodes[seller]),
            buyer=End(buyer, nodes[buyer]),
            begins_ms=begins_ms,
            expires_ms=until_ms,
            until_ms=until_ms,
        )
        for number, (trade_id, seller, buyer, energy_wh) in enumerate(
            between_nodes, start=first_number
        )
    ]


def _is_new(connection: Connection, transfer: Transfer) -> bool:
    """Whether it was not known yet; it is now."""
    where = TransferRow.transfer_id == transfer.transfer_id
    if connection.execute(select(TransferRow.number).where(where)).first():
        return False
    connection.execute(insert(TransferRow).values(**_values(transfer)))
    return True


def _save(connection: Connection, transfer: Transfer) -> None:
    where = TransferRow.transfer_id == transfer.transfer_id
    connection.execute(update(TransferRow).where(where).values(**_values(transfer)))


def _note_event(connection: Connection, event: EnergyEvent, now_ms: int) -> None:
    known = select(EnergyEventRow.number).where(
        EnergyEventRow.transfer_id == event.transfer_id,
        EnergyEventRow.device_id == event.device_id,
        EnergyEventRow.event == event.event,
    )
    if connection.execute(known).first() is not None:
        return
    connection.execute(
        insert(EnergyEventRow).values(
            number=next_number(connection, EnergyEventRow.number),
            transfer_id=event.transfer_id,
            device_id=event.device_id,
            event=event.event,
            seconds=event.seconds,
            energy_mwh=event.energy_mwh,
            received_ms=now_ms,
        )
    )


def _values(transfer: Transfer) -> dict[str, object]:
    seller, buyer = transfer.ends
    return {
        "transfer_id": transfer.transfer_id,
        "number": transfer.number,
        "segment": transfer.segment,
        "energy_wh": transfer.energy_wh,
        "seller": seller.idgrid,
        "buyer": buyer.idgrid,
        "seller_device": seller.device_id,
        "buyer_device": buyer.device_id,
        "begins_ms": transfer.begins_ms,
        "expires_ms": transfer.expires_ms,
        "until_ms": transfer.until_ms,
        "state": str(transfer.state),
        "seller_status": seller.status,
        "seller_reason": seller.reason,
        "seller_mwh": seller.energy_mwh,
        "buyer_status": buyer.status,
        "buyer_reason": buyer.reason,
        "buyer_mwh": buyer.energy_mwh,
    }


def _transfer(row: RowMapping) -> Transfer:
    return Transfer(
        transfer_id=row["transfer_id"],
        number=row["number"],
        segment=row["segment"],
        energy_wh=row["energy_wh"],
        seller=_end(row, "seller"),
        buyer=_end(row, "buyer"),
        begins_ms=row["begins_ms"],
        expires_ms=row["expires_ms"],
        until_ms=row["until_ms"],
        state=TransferState(row["state"]),
    )


def _end(row: RowMapping, side: str) -> End:
    return End(
        idgrid=row[side],
        device_id=row[f"{side}_device"],
        status=row[f"{side}_status"],
        reason=row[f"{side}_reason"],
        energy_mwh=row[f"{side}_mwh"],
    )
