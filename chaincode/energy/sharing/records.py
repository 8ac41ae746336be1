"""What sharing keeps in the world state; energy in Wh, time in ms UTC."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class KeyKind(StrEnum):
    """How a community shares what its members fed in (docs/sharing.md)."""

    STATIC = "static"
    """Fixed parts of the production; who uses less than its part leaves the rest unshared."""
    DYNAMIC = "dynamic"
    """In proportion to what each member used in the slot."""
    PRIORITY = "priority"
    """Lower ranks first, in proportion within a rank."""


@dataclass(frozen=True, slots=True)
class SharingKey:
    """One version of a community's key, in force from `effective_from_ms` to the next one's.

    `parts` (static) are parts per million and sum to a million; `ranks` (priority) count from 0.
    Members that are not named get nothing by a static key and come last by a priority key.
    """

    version: int
    kind: str
    slot_minutes: int
    effective_from_ms: int
    agreed_by_mspid: str
    agreed_in_tx: str
    parts: dict[str, int] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SharingHistory:
    """When each version takes effect, in order of time; version 1 is the first."""

    starts: list[int]

    def version_at(self, time_ms: int) -> int:
        """The version in force; 0 if there is none yet."""
        return sum(start <= time_ms for start in self.starts)


@dataclass(frozen=True, slots=True)
class MemberShare:
    """One member's delivery period: by the key, and by the auction as settled."""

    idgrid: str
    consumed_wh: int
    produced_wh: int
    taken_wh: int
    given_wh: int
    bought_wh: int
    sold_wh: int

    @property
    def difference_wh(self) -> int:
        """What the key gives more than the auction, net of what it takes more."""
        return (self.taken_wh - self.given_wh) - (self.bought_wh - self.sold_wh)


@dataclass(frozen=True, slots=True)
class SharingResult:
    """A listing's energy shared by the key in force, beside what its auction settled.

    `shares` has the values of a `MemberShare` for every member with energy, by IDgrid; `missing`
    names members without readings at every slot, whose energy is their own supplier's.
    """

    listing_id: str
    key_version: int
    kind: str
    slot_minutes: int
    settlement_revision: int
    consumed_wh: int
    produced_wh: int
    shared_wh: int
    auction_wh: int
    shares: list[list[Any]]
    missing: list[str]

    def typed_shares(self) -> list[MemberShare]:
        """The shares as records."""
        return [MemberShare(*row) for row in self.shares]
