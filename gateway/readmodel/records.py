"""What the read model answers with."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from ledger.model.block import ConsenterMetadata
from ledger.model.codes import ValidationCode
from ledger.model.rwset import Version

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place on the ledger; as text `block:index`, the cursor of pages."""

    block_number: int
    index: int

    @classmethod
    def parse(cls, text: str) -> "Position":
        """From its text; `ValueError` if it is none."""
        block_number, _, index = text.partition(":")
        return cls(int(block_number), int(index))

    @classmethod
    def of_cursor(cls, text: str | None) -> "Position | None":
        """From the cursor of a page, which the first page has none of."""
        return None if text is None else cls.parse(text)

    def __str__(self) -> str:
        return f"{self.block_number}:{self.index}"


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """One page of an answer; `next` is the cursor of the page after it, None at the end."""

    items: list[T]
    next: str | None


@dataclass(frozen=True, slots=True)
class StateEntry:
    """Value of a key and the transaction that wrote it."""

    value: bytes
    version: Version


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """Who signed: member (MSP id), subject and the attributes `role` and `idgrid`, if any."""

    digest: bytes
    member: str
    subject: str
    role: str
    idgrid: str
    serialized: bytes


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """One entry of a block. `function` is empty for configuration and for what is unreadable.

    `creator` is the digest of an `IdentityRecord`. Event and arguments are what the transaction
    carries; they count only if `code` is VALID.
    """

    tx_id: str
    block_number: int
    index: int
    code: ValidationCode
    header_type: int
    chaincode: str
    function: str
    arguments: tuple[str, ...]
    member: str
    creator: bytes
    timestamp_ms: int
    event_name: str
    event_payload: bytes

    @property
    def position(self) -> Position:
        """Where it is on the ledger."""
        return Position(self.block_number, self.index)


@dataclass(frozen=True, slots=True)
class PrivilegedAction:
    """A transaction of a member of staff; `concerned` are IDgrids whose records it wrote."""

    record: TransactionRecord
    actor: IdentityRecord
    concerned: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block without its entries."""

    number: int
    hash: bytes
    previous_hash: bytes
    data_hash: bytes
    commit_hash: bytes
    consensus: ConsenterMetadata | None
    signers: tuple[int, ...]
    transaction_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class EventRecord:
    """What a valid transaction announced."""

    block_number: int
    index: int
    tx_id: str
    function: str
    name: str
    payload: bytes

    @property
    def position(self) -> Position:
        """Where its transaction is on the ledger."""
        return Position(self.block_number, self.index)


@dataclass(frozen=True, slots=True)
class ListingSummary:
    """A listing's state, times (ms UTC) and outcome; None until it is cleared."""

    listing_id: str
    state: str
    opens_at_ms: int
    gate_closure_ms: int
    delivery_start_ms: int
    delivery_end_ms: int
    price_utoken_per_kwh: int | None
    matched_wh: int | None


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order ever placed; `cancelled` is where it was taken back."""

    listing_id: str
    idgrid: str
    order_id: str
    side: str
    energy_wh: int
    price_utoken_per_kwh: int
    source: str
    placed: Position
    cancelled: Position | None


@dataclass(frozen=True, slots=True)
class SettlementSummary:
    """What a settlement (`revision` 0) or a correction did for a household."""

    idgrid: str
    listing_id: str
    revision: int
    sold_wh: int
    bought_wh: int
    received_utoken: int
    paid_utoken: int
    refunded_utoken: int
    network_charge_utoken: int
    pool_share_utoken: int
    owed_to_utility_utoken: int
    owed_by_utility_utoken: int
    position: Position


class Cause(StrEnum):
    """Why money of a purse moved. LOCKED and FREED leave its sum as it is."""

    DEPOSIT = "deposit"
    REDEMPTION = "redemption"
    LOCKED = "locked"
    FREED = "freed"
    SETTLEMENT = "settlement"
    CORRECTION = "correction"
    DEAL = "deal"
    """A purchase between two households on the marketplace, settled."""
    FUND = "fund"
    """Out of the community's pool or the network operator's account."""
    GROUP = "group"
    """Into the purse of a group, or out of it."""
    GROUP_HOUR = "group_hour"
    """A member's part of an hour the group has traded."""
    FORFEIT = "forfeit"
    """Part of the deposit of a sealed order that was never revealed."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Movement:
    """What one transaction changed in a purse: a household's account, or its part of a group's.

    `group_id` is empty for the account. `subject` is the listing or post it is about, or the
    reference of who paid. `at_ms`: time of the block. Changes are in micro-tokens and Wh.
    """

    cause: Cause
    subject: str
    group_id: str
    at_ms: int
    free_utoken: int
    locked_utoken: int
    sold_wh: int
    bought_wh: int
    tx_id: str
    block_number: int
    index: int

    @property
    def amount_utoken(self) -> int:
        """What the purse has more than before, free and locked together."""
        return self.free_utoken + self.locked_utoken


@dataclass(frozen=True, slots=True)
class PurseSum:
    """Movements added up; micro-tokens and Wh."""

    free_utoken: int = 0
    locked_utoken: int = 0
    sold_wh: int = 0
    bought_wh: int = 0

    @property
    def amount_utoken(self) -> int:
        """Free and locked together."""
        return self.free_utoken + self.locked_utoken


@dataclass(frozen=True, slots=True)
class Found:
    """A hit of a search: kind is block, transaction, household, listing, member or contract."""

    kind: str
    id: str
