"""What reading the market answers with, where it is not a record of the ledger as it stands.

Energy in Wh, money in micro-tokens, prices in micro-tokens per kWh, times in ms UTC.
"""

from dataclasses import dataclass
from typing import Literal

from chaincode.energy.market.auction_records import Match
from chaincode.energy.marketplace.labels import Label
from chaincode.energy.marketplace.records import Post
from chaincode.energy.registry.records import Signer
from chaincode.energy.settlement.months import Statement
from chaincode.energy.settlement.records import SettlementLine, SettlementRecord
from gateway.statements.account_month import AccountMonth
from gateway.statements.deals import DealSums

CurvePoint = tuple[int, int]
"""Price in micro-tokens per kWh, and the energy in Wh at it."""
NamedReason = tuple[str, str]
"""The id of an order, and why it has no part."""


@dataclass(frozen=True, slots=True)
class BookEntry:
    """An order without its household; `side` is offer or bid.

    `block_number` and `index` are its place on the ledger, which decides ties.
    """

    order_id: str
    side: str
    energy_wh: int
    price_utoken_per_kwh: int
    block_number: int
    index: int


@dataclass(frozen=True, slots=True)
class RegulatedPart:
    """What priority consumers were served first, at the regulated price."""

    price_utoken_per_kwh: int
    quantity_wh: int
    wanted_wh: int
    total_utoken: int


@dataclass(frozen=True, slots=True)
class UtilityPart:
    """What found no match on one side, at the utility's tariff."""

    party: str
    side: Literal["offer", "bid"]
    energy_wh: int
    tariff: Literal["retail", "feed_in"]
    tariff_utoken_per_kwh: int
    amount_utoken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingResult:
    """What an auction decided.

    Prices are null when nothing trades. Curves are (price, Wh), `not_executable` and `excluded`
    (order id, reason). `matches` are those that the viewer may see; `pages` is not empty for a
    large book, whose matches are in a household's settlements only.
    """

    listing_id: str
    rule: str
    rule_version: int
    k: str
    ration: str
    price_utoken_per_kwh: int | None
    price_interval: tuple[int, int] | None
    quantity_wh: int
    total_utoken: int
    available_wh: int
    wanted_wh: int
    offer_count: int
    bid_count: int
    other_rule: str
    other_rule_price_utoken_per_kwh: int | None
    demand_curve: list[CurvePoint]
    supply_curve: list[CurvePoint]
    matches: list[Match]
    not_executable: list[NamedReason]
    excluded: list[NamedReason]
    line_limit_wh: int | None = None
    curtailed_wh: int = 0
    regulated: RegulatedPart | None = None
    utility: list[UtilityPart]
    pages: list[str]
    solved_by: str = "contract"


@dataclass(frozen=True, slots=True)
class SettledHour(SettlementLine):
    """A household's line of a settled hour."""

    listing_id: str


@dataclass(frozen=True, slots=True)
class SettlementTotals(SettlementRecord):
    """Totals of a listing; `missing` has the silent meters' households that the viewer may see."""

    missing_count: int


@dataclass(frozen=True, slots=True)
class MonthStatement(Statement):
    """A household's month: the auction's columns, its deals, its part of groups, its account.

    Issued: by the community's run, with nothing corrected since and no deal waiting. Months of
    energy go by delivery in UTC; those of the account by the community's midnight.
    """

    is_issued: bool
    deals: DealSums
    group_hours: int
    group_amounts: dict[str, int]
    account: AccountMonth


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRecord:
    """A participant as the registry has it, with its token balance (E002).

    `chaincode.energy.registry` tells what fields mean. Times are ms UTC; null is no limit, or not
    yet. `balance_utoken` is free to spend, `locked_utoken` in open bids: as `/v1/accounts` has it.
    """

    idgrid: str
    role: str
    kind: str
    mspid: str
    personal_data_hash: str
    status: str
    status_reason: str
    meter_ids: list[str]
    consented_ms: int | None
    terms_hash: str
    priority_class: int
    contract_id: str
    contract_from_ms: int | None
    contract_until_ms: int | None
    contract_capacity_w: int | None
    contract_orders_max: int | None
    incentive_utoken_per_kwh: int
    signers: dict[str, Signer]
    """By fingerprint."""
    balance_utoken: int
    locked_utoken: int


@dataclass(frozen=True, slots=True)
class Money:
    """All money: `is_conserved` when `issued` equals `free` plus `locked`."""

    issued_utoken: int
    free_utoken: int
    locked_utoken: int
    is_conserved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPost(Post):
    """An offer or a request; `label` is what the viewer can do with it, or what became of it.

    Names that the viewer is not shown are null, the owner's is empty (docs/access.md).
    """

    label: Label
