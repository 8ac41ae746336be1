"""What settlement keeps in the world state; energy in Wh, money in micro-tokens, time in ms."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Metering(StrEnum):
    """Where the energy of a line comes from, the most trustworthy first."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    """Signed by the meter, which says that it did not measure all of the period; or no reading
    stood at an end of it."""
    SUBSTITUTED = "substituted"
    """Stated by the grid operator, because readings were missing or wrong."""
    MISSING = "missing"
    """The meter was silent until its readings were due; counted as zero."""


def least_trustworthy(kinds: Iterable[str]) -> str:
    """What energy from several sources is called; `MISSING` if there is none."""
    order = list(Metering)
    return max((Metering(kind) for kind in kinds), key=order.index, default=Metering.MISSING)


class Progress(StrEnum):
    """How far a settlement is; DISPUTED: not decided, readings are missing after their time."""

    PAYING = "PAYING"
    SETTLED = "SETTLED"
    DISPUTED = "DISPUTED"


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One household's hour; as a correction, the difference to all lines of this hour before it.

    `owed_*` is billed by the utility outside the token account (docs/settlement.md). The account
    gets `received - pool_share + refunded`, where
    `refunded = locked - paid - network_charge`.
    """

    idgrid: str
    imported_wh: int
    exported_wh: int
    matched_sell_wh: int
    matched_buy_wh: int
    sold_wh: int
    bought_wh: int
    received_utoken: int
    paid_utoken: int
    refunded_utoken: int
    bought_from_utility_wh: int
    owed_to_utility_utoken: int
    sold_to_utility_wh: int
    owed_by_utility_utoken: int
    network_charge_utoken: int
    pool_share_utoken: int
    metering: str

    @property
    def credit_utoken(self) -> int:
        """What the account gets; a correction may take some away."""
        return self.received_utoken - self.pool_share_utoken + self.refunded_utoken

    @property
    def released_utoken(self) -> int:
        """Locked money this line uses up: paid, charged or refunded."""
        return self.paid_utoken + self.network_charge_utoken + self.refunded_utoken

    @property
    def is_traded(self) -> bool:
        """Whether anything happens on the household's account."""
        return bool(self.credit_utoken or self.sold_wh or self.bought_wh)


@dataclass(frozen=True, slots=True)
class SettlementRecord:
    """Totals of a listing after `revision` corrections; each household's line has its own key.

    `pages` are paid one by one; `missing` names silent meters. Nothing is stored of a settlement
    that is DISPUTED before it was decided.
    """

    listing_id: str
    state: str
    revision: int
    pages: int
    household_count: int
    decided_at_ms: int
    price_utoken_per_kwh: int | None
    matched_wh: int
    settled_wh: int
    total_utoken: int
    refunded_utoken: int
    network_charge_utoken: int
    pool_share_utoken: int
    imported_wh: int
    exported_wh: int
    bought_from_utility_wh: int
    owed_to_utility_utoken: int
    sold_to_utility_wh: int
    owed_by_utility_utoken: int
    missing: list[str]


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """How much of its match a household delivered or took; `before_wh` -1: not recorded yet."""

    idgrid: str
    side: str
    matched_wh: int
    fulfilled_wh: int
    before_wh: int
    metering: str


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a settlement that one transaction can pay.

    Rows are `SettlementLine`s and `Fulfilment`s, each as a list of its values. Pages are kept:
    their sum is what the settlement says. The escrows a page empties follow from the matches.
    """

    listing_id: str
    revision: int
    number: int
    lines: list[list[Any]]
    fulfilments: list[list[Any]]

    def typed_lines(self) -> list[SettlementLine]:
        """The lines as records."""
        return [SettlementLine(*row) for row in self.lines]

    def typed_fulfilments(self) -> list[Fulfilment]:
        """The fulfilments as records."""
        return [Fulfilment(*row) for row in self.fulfilments]


@dataclass(frozen=True, slots=True)
class Substitute:
    """Energy of one connection in one delivery period, stated by the grid operator."""

    listing_id: str
    idgrid: str
    imported_wh: int
    exported_wh: int
    reason: str
    stated_by_mspid: str


@dataclass(frozen=True, slots=True)
class NonDelivery:
    """A household that delivered, or took, less than was matched in one listing."""

    listing_id: str
    idgrid: str
    side: str
    matched_wh: int
    fulfilled_wh: int
    metering: str


@dataclass(frozen=True, slots=True)
class Reputation:
    """How a household kept what was matched, over all its settled listings."""

    idgrid: str
    sell_hours: int
    sell_short_hours: int
    matched_sell_wh: int
    delivered_wh: int
    buy_hours: int
    buy_short_hours: int
    matched_buy_wh: int
    taken_wh: int


class DisputeState(StrEnum):
    """Life of a dispute; LAPSED: nobody decided in time, the settlement stands."""

    OPEN = "OPEN"
    UPHELD = "UPHELD"
    REJECTED = "REJECTED"
    LAPSED = "LAPSED"


@dataclass(frozen=True, slots=True)
class Dispute:
    """One household's dispute of one settlement; at most one, ever.

    `revision` is the settlement that was disputed, later the one the decision rests on.
    """

    listing_id: str
    idgrid: str
    state: str
    reason: str
    revision: int
    raised_at_ms: int
    decide_by_ms: int
    decided_by_mspid: str
    note: str
