"""The raw series of readings in the gateway's database: each once, in the order they came.

Calls block (`gateway.database`). One writer: the process whose MQTT session collects.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update
from sqlalchemy.orm import InstrumentedAttribute

from chaincode.energy.oracle.records import MeterReading
from gateway.database import Database
from gateway.hems.anchored_rows import READINGS, next_row
from gateway.hems.plausibility import Doubt, Limits, Neighbours, doubt_about
from gateway.hems.tables import DeviceRow, ReadingRow, SetAsideRow

DETAIL_CHARACTERS_MAX = 200
RAW_BYTES_MAX = 4_096
SET_ASIDE_PER_DEVICE_MAX = 1_000
READINGS_PER_QUERY_MAX = 100_000
SIGNED_READINGS_PER_PAGE = 100
"""Of a page that carries them with their signatures to an oracle."""
READING_COLUMNS = (
    ReadingRow.meter_id,
    ReadingRow.seq,
    ReadingRow.t_end_ms,
    ReadingRow.import_wh,
    ReadingRow.export_wh,
    ReadingRow.quality,
    ReadingRow.signature,
)
"""The fields of a `MeterReading`, in its order."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message on a meter's `reading`: the reading in it, or why there is none.

    `signed` is None where the signature, or the meter, is not good.
    """

    device_id: str
    raw: bytes
    signed: MeterReading | None
    doubt: Doubt | None = None
    detail: str = ""


@dataclass(slots=True)
class Kept:
    """What became of a batch of arrivals."""

    accepted: list[MeterReading] = field(default_factory=list)
    copies: list[MeterReading] = field(default_factory=list)
    set_aside: list[tuple[Arrival, Doubt]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Gap:
    """Readings of a meter that are missing; `last_seq` None: nothing came behind them yet."""

    meter_id: str
    first_seq: int
    last_seq: int | None
    from_ms: int
    to_ms: int


class SeriesStore:
    """Readings that passed all checks, and what did not."""

    def __init__(self, database: Database, limits: Limits, started_ms: int) -> None:
        """`started_ms` is when this process began to collect."""
        self._database = database
        self._limits = limits
        self._started_ms = started_ms
        self._heads: dict[str, MeterReading | None] = {}
        """The highest number of each meter: in order, no query is needed."""

    @property
    def interval_ms(self) -> int:
        """Between two readings of a meter."""
        return self._limits.interval_ms

    def keep(self, arrivals: Sequence[Arrival], now_ms: int) -> Kept:
        """Judge and store a batch in one transaction; after an exception none of it is stored.

        Synced: a device forgets what is called stored, so a power cut must not undo it.
        """
        kept = Kept()
        heads = dict(self._heads)
        with self._database.writing(is_synced=True) as connection:
            batch = _Batch(connection, heads, self._limits, self._started_ms, now_ms)
            for arrival in arrivals:
                batch.take(arrival, kept)
            batch.write(kept)
        self._heads = heads
        return kept

    def at(self, meter_ids: Sequence[str], t_end_ms: int) -> dict[str, MeterReading]:
        """Those of these meters' readings whose period ended at an instant, by meter."""
        wanted = select(*READING_COLUMNS).where(
            ReadingRow.meter_id.in_(meter_ids), ReadingRow.t_end_ms == t_end_ms
        )
        with self._database.reading() as connection:
            return {row.meter_id: MeterReading(*row) for row in connection.execute(wanted)}

    def until(self, meter_id: str, instant_ms: int) -> MeterReading | None:
        """The last reading whose period ended at or before an instant."""
        return self._one(
            select(*READING_COLUMNS)
            .where(ReadingRow.meter_id == meter_id, ReadingRow.t_end_ms <= instant_ms)
            .order_by(ReadingRow.t_end_ms.desc())
            .limit(1)
        )

    def latest(self, meter_id: str) -> MeterReading | None:
        """The newest reading of a meter."""
        return self.until(meter_id, 2**62)

    def between(
        self, meter_id: str, from_ms: int, to_ms: int, limit: int = READINGS_PER_QUERY_MAX
    ) -> list[MeterReading]:
        """Readings with from_ms < t_end <= to_ms in order, the first `limit` of them."""
        wanted = (
            select(*READING_COLUMNS)
            .where(
                ReadingRow.meter_id == meter_id,
                ReadingRow.t_end_ms > from_ms,
                ReadingRow.t_end_ms <= to_ms,
            )
            .order_by(ReadingRow.t_end_ms)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [MeterReading(*row) for row in connection.execute(wanted)]

    def gaps(self, meter_id: str, from_ms: int, to_ms: int) -> list[Gap]:
        """Which readings are missing in a time, by number and by interval.

        A gap that began before the time begins with it, but has the numbers of all it lacks.
        """
        stored = self.between(meter_id, from_ms, to_ms)
        last_before = self.until(meter_id, from_ms)
        if last_before is not None and stored:
            # The reading before the first one was due at this instant: else none is missing here.
            is_due = stored[0].t_end_ms - self._limits.interval_ms > from_ms
            stored = [last_before, *stored] if is_due else stored
        slack_ms = self._limits.interval_ms * 3 // 2
        return [
            Gap(
                meter_id,
                before.seq + 1,
                after.seq - 1,
                max(before.t_end_ms, from_ms),
                after.t_end_ms,
            )
            for before, after in itertools.pairwise(stored)
            if after.seq > before.seq + 1 or after.t_end_ms - before.t_end_ms > slack_ms
        ]

    def open_gap(self, meter_id: str, from_ms: int, to_ms: int) -> Gap | None:
        """The gap at the end of a time: readings were due since the last one, and none came."""
        last = self.until(meter_id, to_ms)
        if last is None or to_ms - last.t_end_ms <= self._limits.interval_ms * 3 // 2:
            return None
        return Gap(meter_id, last.seq + 1, None, max(last.t_end_ms, from_ms), to_ms)

    def count(self) -> int:
        """How many readings are stored."""
        with self._database.reading() as connection:
            return connection.execute(select(func.count()).select_from(ReadingRow)).scalar_one()

    def _one(self, wanted: Select[*tuple[Any, ...]]) -> MeterReading | None:
        with self._database.reading() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else MeterReading(*row)


class _Batch:
    """One transaction's work: judged against what is stored and what the batch itself adds."""

    def __init__(
        self,
        connection: Connection,
        heads: dict[str, MeterReading | None],
        limits: Limits,
        started_ms: int,
        now_ms: int,
    ) -> None:
        self._connection = connection
        self._heads = heads
        self._limits = limits
        self._started_ms = started_ms
        self._now_ms = now_ms
        self._new: dict[tuple[str, int], MeterReading] = {}
        self._late: set[tuple[str, int]] = set()

    def take(self, arrival: Arrival, kept: Kept) -> None:
        """Judge one arrival."""
        reading = arrival.signed
        if reading is None:
            kept.set_aside.append((arrival, arrival.doubt or Doubt.MALFORMED))
            return
        known = self._neighbours(reading)
        doubt = doubt_about(reading, known, now_ms=self._now_ms, limits=self._limits)
        if doubt is not None:
            kept.set_aside.append((arrival, doubt))
        elif known.same is not None:
            kept.copies.append(reading)
        else:
            kept.accepted.append(reading)
            self._new[reading.meter_id, reading.seq] = reading
            head = self._heads.get(reading.meter_id)
            if head is None or reading.seq > head.seq:
                self._heads[reading.meter_id] = reading

    def write(self, kept: Kept) -> None:
        """Everything of the batch, in as few statements as there are tables."""
        if kept.accepted:
            self._write_readings(kept.accepted)
        for copy in kept.copies:
            self._connection.execute(
                update(ReadingRow)
                .where(ReadingRow.meter_id == copy.meter_id, ReadingRow.seq == copy.seq)
                .values(copies=ReadingRow.copies + 1)
            )
        if kept.set_aside:
            self._write_set_aside(kept.set_aside)

    def _write_readings(self, accepted: list[MeterReading]) -> None:
        row = next_row(self._connection, READINGS)
        oldest_ms = self._now_ms - self._limits.interval_ms
        values = [
            {
                "row": number,
                "meter_id": reading.meter_id,
                "seq": reading.seq,
                "t_end_ms": reading.t_end_ms,
                "import_wh": reading.import_wh,
                "export_wh": reading.export_wh,
                "quality": reading.quality,
                "signature": reading.signature,
                "received_ms": self._now_ms,
                "is_late": int(reading.t_end_ms < oldest_ms),
                "copies": 0,
            }
            for number, reading in enumerate(accepted, start=row)
        ]
        self._connection.execute(insert(ReadingRow), values)

    def _write_set_aside(self, found: list[tuple[Arrival, Doubt]]) -> None:
        """Each once: what is not believed comes again; at most so many per device."""
        doubted = [entry for entry in found if self._is_new(entry[0])]
        if not doubted:
            return
        first = next_number(self._connection, SetAsideRow.number)
        values = [
            {
                "number": number,
                "device_id": arrival.device_id,
                "doubt": doubt.value,
                "detail": (arrival.detail or doubt.text)[:DETAIL_CHARACTERS_MAX],
                "raw": arrival.raw[:RAW_BYTES_MAX],
                "received_ms": self._now_ms,
            }
            for number, (arrival, doubt) in enumerate(doubted, start=first)
        ]
        self._connection.execute(insert(SetAsideRow), values)

    def _is_new(self, arrival: Arrival) -> bool:
        same = func.count().filter(SetAsideRow.raw == arrival.raw)
        kept = select(func.count(), same).where(SetAsideRow.device_id == arrival.device_id)
        before, known = self._connection.execute(kept).one()
        return before < SET_ASIDE_PER_DEVICE_MAX and not known

    def _neighbours(self, reading: MeterReading) -> Neighbours:
        head = self._head(reading.meter_id)
        if head is None or reading.seq > head.seq:
            return Neighbours(before=head)
        return self._stored_neighbours(reading)

    def _head(self, meter_id: str) -> MeterReading | None:
        if meter_id not in self._heads:
            newest = select(*READING_COLUMNS).where(ReadingRow.meter_id == meter_id)
            row = self._connection.execute(newest.order_by(ReadingRow.seq.desc()).limit(1)).first()
            self._heads[meter_id] = None if row is None else MeterReading(*row)
        return self._heads[meter_id]

    def _stored_neighbours(self, reading: MeterReading) -> Neighbours:
        """Out of order or a copy: look it up, in the database and in this batch."""
        meter = select(*READING_COLUMNS, ReadingRow.received_ms, ReadingRow.copies).where(
            ReadingRow.meter_id == reading.meter_id
        )
        run = self._connection.execute
        below = run(
            meter.where(ReadingRow.seq <= reading.seq).order_by(ReadingRow.seq.desc()).limit(2)
        ).all()
        above = run(
            meter.where(ReadingRow.seq > reading.seq).order_by(ReadingRow.seq).limit(1)
        ).all()
        here = [new for (name, _), new in self._new.items() if name == reading.meter_id]
        stored = {row.seq: MeterReading(*row[:7]) for row in (*below, *above)}
        around = stored | {new.seq: new for new in here}
        same_row = next((row for row in below if row.seq == reading.seq), None)
        lower = [seq for seq in around if seq < reading.seq]
        higher = [seq for seq in around if seq > reading.seq]
        return Neighbours(
            before=around[max(lower)] if lower else None,
            after=around[min(higher)] if higher else None,
            same=around.get(reading.seq),
            same_received_ms=same_row.received_ms if same_row else self._now_ms,
            same_copies=same_row.copies if same_row else 0,
            back_since_ms=max(self._started_ms, self._online_since_ms(reading.meter_id)),
        )

    def _online_since_ms(self, device_id: str) -> int:
        since = select(DeviceRow.online_since_ms).where(DeviceRow.device_id == device_id)
        return self._connection.execute(since).scalar() or 0


def next_number(connection: Connection, column: InstrumentedAttribute[int]) -> int:
    """The number after the highest of a column; the one writer's transaction keeps it free."""
    highest = connection.execute(select(func.max(column))).scalar()
    return int(highest or 0) + 1
