"""What origin keeps in the world state; energy in Wh, time in ms UTC."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Evidence:
    """One meter's signed registers at both ends of a period.

    `hash` is the SHA-256, in hex, of the bytes the meter signed.
    """

    meter_id: str
    from_seq: int
    from_hash: str
    to_seq: int
    to_hash: str
    exported_wh: int


@dataclass(frozen=True, slots=True)
class EnergyToken:
    """What a producer fed into the grid in one delivery period, minted once; `left_wh` unspent.

    `evidence` rows are the values of `Evidence`, the connection's meters first. Energy of a
    connection with storage counts as far as meters of its generators vouch for it.
    """

    token_id: str
    owner_idgrid: str
    listing_id: str
    from_ms: int
    to_ms: int
    res_ids: list[str]
    source_types: list[str]
    minted_wh: int
    left_wh: int
    evidence: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Minted:
    """A meter's period is minted; no other token may rest on any part of it."""

    meter_id: str
    from_ms: int
    to_ms: int
    token_id: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """So much of a token's energy went to this holder.

    By the auction of the listing (`source` auction, never to be spent again), or given on by its
    holder (`source` transfer).
    """

    certificate_id: str
    token_id: str
    holder_idgrid: str
    energy_wh: int
    source: str


@dataclass(frozen=True, slots=True)
class Issue:
    """The certificates of one settled listing: the settlement they rest on, page by page.

    `uncertified` rows: (IDgrid, reason) of sellers whose energy has no origin.
    """

    listing_id: str
    settlement_revision: int
    pages: int
    page: int
    minted_wh: int
    certified_wh: int
    uncertified: list[list[str]]
