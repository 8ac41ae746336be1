"""Tables of the home energy data service: raw series, devices, alarms, anchors, transfers.

This is the gateway's own data: nothing here can be rebuilt from the ledger, so it is backed up.
Milliseconds UTC, watt-hours; a None is a value the device does not have.
"""

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base


class ReadingRow(Base):
    """An accepted reading. `row` counts arrivals without a gap; batches of rows are anchored."""

    __tablename__ = "hems_readings"
    __table_args__ = (
        UniqueConstraint("meter_id", "seq"),
        Index("ix_hems_readings_time", "meter_id", "t_end_ms"),
    )

    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    meter_id: Mapped[str]
    seq: Mapped[int]
    t_end_ms: Mapped[int]
    import_wh: Mapped[int]
    export_wh: Mapped[int]
    quality: Mapped[str]
    signature: Mapped[str]
    """What the contract checks: the meter's, or for tier A the gateway's attestation."""
    received_ms: Mapped[int]
    is_late: Mapped[int]
    copies: Mapped[int]
    """How often it came again."""


class MeasurementRow(Base):
    """Values of a device at an instant; not signed, for information."""

    __tablename__ = "hems_measurements"
    __table_args__ = (UniqueConstraint("device_id", "t_ms"),)

    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    device_id: Mapped[str]
    t_ms: Mapped[int]
    u_mv: Mapped[int | None]
    i_ma: Mapped[int | None]
    p_mw: Mapped[int | None]
    soc_permille: Mapped[int | None]
    energy_wh: Mapped[int | None]
    flags: Mapped[str]
    received_ms: Mapped[int]


class SetAsideRow(Base):
    """A message that was not believed: whole, with the reason."""

    __tablename__ = "hems_set_aside"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    device_id: Mapped[str] = mapped_column(index=True)
    doubt: Mapped[str]
    detail: Mapped[str]
    raw: Mapped[bytes]
    received_ms: Mapped[int]


class DeviceRow(Base):
    """What is known of a device from its messages."""

    __tablename__ = "hems_devices"

    device_id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    last_seen_ms: Mapped[int]
    online_since_ms: Mapped[int]
    firmware: Mapped[str]
    tier: Mapped[str]
    relay_in: Mapped[int | None]
    relay_out: Mapped[int | None]
    plug_on: Mapped[int | None]
    outbox: Mapped[int | None]
    refused: Mapped[int]
    """Messages of it that were not taken."""
    dropped: Mapped[int | None]
    """Messages and readings that left its full queues since it started, as it says."""
    signal_dbm: Mapped[int | None]


class WaitRow(Base):
    """Something the gateway waits to hear."""

    __tablename__ = "hems_waits"

    name: Mapped[str] = mapped_column(primary_key=True)
    since_ms: Mapped[int]
    noted_ms: Mapped[int]


class AlarmRow(Base):
    """Something a person should look at, from when until when."""

    __tablename__ = "hems_alarms"
    __table_args__ = (Index("ix_hems_alarms_open", "cleared_ms", "kind", "device_id"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    device_id: Mapped[str]
    detail: Mapped[str]
    raised_ms: Mapped[int]
    cleared_ms: Mapped[int | None]


class AnchorRow(Base):
    """A batch of a series: its rows, their Merkle root, the transaction that anchored it."""

    __tablename__ = "hems_anchors"

    series: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_row: Mapped[int]
    last_row: Mapped[int]
    root: Mapped[str]
    tx_id: Mapped[str]
    """Empty until it is on the ledger."""
    is_removed: Mapped[int]
    """Its rows were exported and removed when their time was over."""


class TransferRow(Base):
    """A transfer between two nodes, and how each end stands."""

    __tablename__ = "hems_transfers"
    __table_args__ = (
        Index("ix_hems_transfers_state", "state", "number"),
        Index("ix_hems_transfers_number", "number"),
    )

    transfer_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]
    segment: Mapped[str]
    energy_wh: Mapped[int]
    seller: Mapped[str]
    buyer: Mapped[str]
    seller_device: Mapped[str]
    buyer_device: Mapped[str]
    begins_ms: Mapped[int]
    expires_ms: Mapped[int]
    until_ms: Mapped[int]
    state: Mapped[str]
    seller_status: Mapped[str]
    seller_reason: Mapped[str]
    seller_mwh: Mapped[int]
    buyer_status: Mapped[str]
    buyer_reason: Mapped[str]
    buyer_mwh: Mapped[int]
    announced_ms: Mapped[int | None]
    """When it was told on `<prefix>/energy`, written before it was."""


class CommandRow(Base):
    """A switch command and its answer."""

    __tablename__ = "hems_commands"

    command_id: Mapped[str] = mapped_column(primary_key=True)
    device_id: Mapped[str] = mapped_column(index=True)
    is_on: Mapped[int]
    issued_ms: Mapped[int]
    expires_ms: Mapped[int]
    status: Mapped[str]
    reason: Mapped[str]
    answered_ms: Mapped[int | None]


class ChargeRow(Base):
    """How much was in a battery at an instant."""

    __tablename__ = "hems_charges"

    battery_id: Mapped[str] = mapped_column(primary_key=True)
    at_ms: Mapped[int] = mapped_column(primary_key=True)
    stored_wh: Mapped[int]


class EnergyEventRow(Base):
    """A start or stop of a transfer's energy as a node published it."""

    __tablename__ = "hems_energy_events"
    __table_args__ = (UniqueConstraint("transfer_id", "device_id", "event"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    transfer_id: Mapped[str]
    device_id: Mapped[str]
    event: Mapped[str]
    seconds: Mapped[int]
    energy_mwh: Mapped[int]
    """Thousandths of a watt-hour."""
    received_ms: Mapped[int]


class MirrorRow(Base):
    """How many writes a cloud channel has had on a day (UTC)."""

    __tablename__ = "hems_mirror"

    channel: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    writes: Mapped[int]


class LinkRow(Base):
    """A device's link to the broker, or an address that failed to sign in and is no device's."""

    __tablename__ = "hems_links"

    subject: Mapped[str] = mapped_column(primary_key=True)
    is_device: Mapped[int]
    address: Mapped[str]
    connected_ms: Mapped[int]
    failed_logins: Mapped[int]
    failed_ms: Mapped[int]
    credential_ms: Mapped[int]
    checked_ms: Mapped[int]


class DeviceCodeRow(Base):
    """The enrolment code of a device, and the key proved with it (empty: none yet)."""

    __tablename__ = "hems_device_codes"

    device_id: Mapped[str] = mapped_column(primary_key=True)
    owner_idgrid: Mapped[str]
    code_hash: Mapped[bytes]
    expires_ms: Mapped[int]
    fingerprint: Mapped[str]
