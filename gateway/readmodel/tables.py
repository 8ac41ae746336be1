"""Tables of the read model: all of them can be dropped and filled again from block 0.

Text that others chose is stored shortened and without NUL (`block_facts.shown`), since neither
index nor text of PostgreSQL takes everything a transaction may carry; `BlockBytes` has it all.
"""

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base

IS_INVALID = text("code <> 0")
"""Of a few transactions only; a question says it literally, or their index does not serve it."""


class Progress(Base):
    """One row: how far the read model is. Whoever applies a block holds this row's lock."""

    __tablename__ = "readmodel_progress"

    id: Mapped[int] = mapped_column(primary_key=True)
    height: Mapped[int]
    """Blocks applied; the next one has this number."""
    projection_version: Mapped[int]
    """Of the code that filled the tables; another one fills them anew."""


class BlockRow(Base):
    """A block without its entries. Consensus fields are empty in the genesis block."""

    __tablename__ = "blocks"

    number: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(index=True)
    previous_hash: Mapped[bytes]
    data_hash: Mapped[bytes]
    commit_hash: Mapped[bytes]
    signers: Mapped[str]
    """Consenter ids, separated by spaces."""
    transaction_count: Mapped[int]
    size_bytes: Mapped[int]
    round: Mapped[int | None]
    proposer: Mapped[int | None]
    block_time_ms: Mapped[int | None]
    transactions_root: Mapped[bytes | None]
    validator_set_hash: Mapped[bytes | None]
    previous_commit_hash: Mapped[bytes | None]


class BlockBytes(Base):
    """A block as the peer delivered it: entries, seals, codes, commit hash."""

    __tablename__ = "block_bytes"

    number: Mapped[int] = mapped_column(primary_key=True)
    raw: Mapped[bytes]


class Identity(Base):
    """Who signed transactions: MSP id and certificate, known by the SHA-256 of both."""

    __tablename__ = "identities"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    member: Mapped[str]
    subject: Mapped[str]
    role: Mapped[str]
    idgrid: Mapped[str]
    serialized: Mapped[bytes]


class TransactionRow(Base):
    """An entry of a block with its validation code; invalid ones stay in the ledger."""

    __tablename__ = "transactions"
    __table_args__ = (
        Index("ix_transactions_function", "function", "block_number", "tx_index"),
        Index("ix_transactions_member", "member", "block_number", "tx_index"),
        Index("ix_transactions_event", "event_name", "block_number", "tx_index"),
        Index(
            "ix_transactions_invalid",
            "creator",
            "block_number",
            "tx_index",
            sqlite_where=IS_INVALID,
            postgresql_where=IS_INVALID,
        ),
    )

    block_number: Mapped[int] = mapped_column(primary_key=True)
    tx_index: Mapped[int] = mapped_column(primary_key=True)
    tx_id: Mapped[str] = mapped_column(index=True)
    code: Mapped[int]
    header_type: Mapped[int]
    chaincode: Mapped[str]
    function: Mapped[str]
    arguments: Mapped[str]
    """A JSON array of texts."""
    member: Mapped[str]
    creator: Mapped[bytes]
    """Digest of an `Identity`; empty when the entry cannot be read."""
    timestamp_ms: Mapped[int]
    event_name: Mapped[str]
    event_payload: Mapped[bytes]


class StateRow(Base):
    """The contracts' public world state, key by key."""

    __tablename__ = "world_state"

    namespace: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(primary_key=True)
    """UTF-8, so that ranges are bytewise in every database, as they are on the ledger."""
    value: Mapped[bytes]
    block_number: Mapped[int]
    tx_index: Mapped[int]


class Activity(Base):
    """Which transactions concern a household: those it signed, and those that wrote its keys."""

    __tablename__ = "activity"
    __table_args__ = (Index("ix_activity_place", "block_number", "tx_index"),)

    idgrid: Mapped[str] = mapped_column(primary_key=True)
    block_number: Mapped[int] = mapped_column(primary_key=True)
    tx_index: Mapped[int] = mapped_column(primary_key=True)


class ListingRow(Base):
    """A listing's state and times; the whole record is in the world state."""

    __tablename__ = "listings"
    __table_args__ = (Index("ix_listings_state", "state", "gate_closure_ms"),)

    listing_id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    opens_at_ms: Mapped[int]
    gate_closure_ms: Mapped[int]
    delivery_start_ms: Mapped[int] = mapped_column(index=True)
    delivery_end_ms: Mapped[int]
    price_utoken_per_kwh: Mapped[int | None]
    """What the auction found; empty until it is cleared, and when nothing matched."""
    matched_wh: Mapped[int | None]


class OrderRow(Base):
    """An order ever placed. Cancelled ones stay, with the place where they were cancelled."""

    __tablename__ = "orders"
    __table_args__ = (
        Index("ix_orders_idgrid", "idgrid", "block_number", "tx_index"),
        Index("ix_orders_listing", "idgrid", "listing_id"),
    )

    listing_id: Mapped[str] = mapped_column(primary_key=True)
    idgrid: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(primary_key=True)
    side: Mapped[str]
    energy_wh: Mapped[int]
    price_utoken_per_kwh: Mapped[int]
    source: Mapped[str]
    block_number: Mapped[int]
    tx_index: Mapped[int]
    cancelled_block_number: Mapped[int | None]
    cancelled_tx_index: Mapped[int | None]


class SettlementRow(Base):
    """What a settlement or one of its corrections (`revision` > 0) did for a household."""

    __tablename__ = "settlements"
    __table_args__ = (Index("ix_settlements_listing", "listing_id"),)

    idgrid: Mapped[str] = mapped_column(primary_key=True)
    listing_id: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    sold_wh: Mapped[int]
    bought_wh: Mapped[int]
    received_utoken: Mapped[int]
    paid_utoken: Mapped[int]
    refunded_utoken: Mapped[int]
    network_charge_utoken: Mapped[int]
    pool_share_utoken: Mapped[int]
    owed_to_utility_utoken: Mapped[int]
    owed_by_utility_utoken: Mapped[int]
    block_number: Mapped[int]
    tx_index: Mapped[int]


class MovementRow(Base):
    """What a transaction changed in a purse: an account, or a member's part of a group's purse.

    The sum of a purse's rows is what is in it; a change of nothing has no row.
    """

    __tablename__ = "movements"
    __table_args__ = (Index("ix_movements_time", "idgrid", "group_id", "at_ms"),)

    idgrid: Mapped[str] = mapped_column(primary_key=True)
    block_number: Mapped[int] = mapped_column(primary_key=True)
    tx_index: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[str] = mapped_column(primary_key=True)
    """Empty: the account itself."""
    tx_id: Mapped[str]
    at_ms: Mapped[int]
    cause: Mapped[str]
    subject: Mapped[str]
    free_utoken: Mapped[int]
    locked_utoken: Mapped[int]
    sold_wh: Mapped[int]
    bought_wh: Mapped[int]


READ_MODEL: tuple[type[Base], ...] = (
    BlockRow,
    BlockBytes,
    Identity,
    TransactionRow,
    StateRow,
    Activity,
    ListingRow,
    OrderRow,
    SettlementRow,
    MovementRow,
)
"""Everything that a rebuild empties and fills again; `Progress` then starts at 0."""
