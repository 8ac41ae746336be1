"""What the energy contracts keep in the world state: frozen records with one encoding.

A record is canonical JSON: UTF-8, keys sorted, no spaces, whole numbers only, so that all peers
write equal bytes. Energy is Wh, money micro-tokens, price micro-tokens per kWh, time ms UTC.
No personal data: names and e-mail addresses stay off the ledger, `personal_data_hash` is salted.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from chaincode.shim.json_values import canonical_json

T = TypeVar("T")


class Status(StrEnum):
    """Whether a participant, source or meter may take part."""

    PENDING = "pending"
    APPROVED = "approved"


class ListingState(StrEnum):
    """Life of a listing; DISPUTED and CANCELLED are reserved."""

    AUTHORIZE_OFFERS = "AUTHORIZE_OFFERS"
    BIDS_CLOSED = "BIDS_CLOSED"
    CLEARED = "CLEARED"
    DELIVERING = "DELIVERING"
    SETTLED = "SETTLED"
    DISPUTED = "DISPUTED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Participant:
    """A grid connection that may trade. `kind` is household unless it is, say, a street light."""

    idgrid: str
    role: str
    kind: str
    mspid: str
    personal_data_hash: str
    status: str


@dataclass(frozen=True, slots=True)
class Res:
    """A renewable energy source and its owner."""

    res_id: str
    owner_idgrid: str
    source_type: str
    capacity_w: int
    status: str


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter, its owner, and the P-256 public key its readings are signed with.

    `res_id` is None for the meter at the grid connection, which settlement uses; a meter with
    a `res_id` measures one source behind it and is recorded for information.
    """

    meter_id: str
    owner_idgrid: str
    public_key_pem: str
    key_fingerprint: str
    res_id: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Connection:
    """Index entry: this meter measures the grid connection of this participant."""

    idgrid: str
    meter_id: str


@dataclass(frozen=True, slots=True)
class Account:
    """Free balance and the energy traded so far, as far as payouts are folded in."""

    idgrid: str
    balance_utoken: int
    sold_wh: int
    bought_wh: int


@dataclass(frozen=True, slots=True)
class Deposit:
    """Micro-tokens brought into being; the sum of all deposits is the supply."""

    idgrid: str
    amount_utoken: int
    issuer_mspid: str
    reference: str


@dataclass(frozen=True, slots=True)
class Payout:
    """What a deposit, a clearing or a settlement adds to an account."""

    idgrid: str
    amount_utoken: int
    sold_wh: int
    bought_wh: int


@dataclass(frozen=True, slots=True)
class Escrow:
    """Money one bid has locked."""

    idgrid: str
    listing_id: str
    order_id: str
    locked_utoken: int


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """One offer or bid as placed. `res_id` is None for a bid."""

    order_id: str
    listing_id: str
    idgrid: str
    side: str
    energy_wh: int
    price_utoken_per_kwh: int
    res_id: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One delivery hour's market: its rule and prices are pinned when it opens.

    `k` is a fraction as text; `floor` is the feed-in tariff, `cap` the retail price.
    `opened_by_tx` is the first entry of the arrivals history and fixes its direction.
    """

    listing_id: str
    state: str
    preset: str
    rule: str
    rule_version: int
    k: str
    ration: str
    floor_utoken_per_kwh: int
    cap_utoken_per_kwh: int
    max_order_wh: int
    opens_at_ms: int
    gate_closure_ms: int
    delivery_start_ms: int
    delivery_end_ms: int
    settlement_end_ms: int
    reading_tolerance_ms: int
    opened_by_tx: str


@dataclass(frozen=True, slots=True)
class MeterReading:
    """Cumulative registers of one meter at the end of a period, as accepted."""

    meter_id: str
    seq: int
    t_end_ms: int
    import_wh: int
    export_wh: int
    quality: str
    signature: str


def encode(record: object) -> bytes:
    """Canonical JSON of a record."""
    return canonical_json(record)


def decode(kind: type[T], raw: bytes) -> T:
    """The record from the bytes `encode` made; extra or missing fields raise `TypeError`."""
    return kind(**json.loads(raw))
