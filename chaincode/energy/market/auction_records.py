"""What an auction leaves in the world state. Energy in Wh, money in micro-tokens."""

from dataclasses import dataclass, field

from chaincode.energy.market.records import MarketOrder


@dataclass(frozen=True, slots=True)
class Match:
    """One matched order. `amount_utoken` is what it pays or gets if all is delivered.

    `locked_utoken` is what a bid keeps locked until settlement: its energy at the clearing price,
    rounded up. `position` is the order's place among the listing's orders in the ledger, from 1.
    `regulated_wh` is the part of `matched_wh` that goes to priority consumers at the regulated
    price, `regulated_utoken` its part of the amount.
    """

    order_id: str
    idgrid: str
    side: str
    matched_wh: int
    amount_utoken: int
    locked_utoken: int
    position: int
    regulated_wh: int = 0
    regulated_utoken: int = 0


@dataclass(frozen=True, slots=True)
class AuctionResult:
    """The stored result of a listing. Matches are in ledger order; curves are (price, Wh).

    `available_wh` and `wanted_wh` are kWhavailable and kWhwanted of the listing. The price the
    other rule would have given is published beside the one that counts. `curtailed_wh` is what
    the line limit kept from trading. `regulated`: price, Wh and money of the part served to
    priority consumers first, None without. `utility`: a row per side for what found no match,
    at the utility's tariff. `pages`: first households of the pages of a large book; its matches
    are there and not here (`matches.py`), and its curves have a point in so many.
    """

    listing_id: str
    rule: str
    rule_version: int
    k: str
    ration: str
    price_utoken_per_kwh: int | None
    price_interval: list[int] | None
    quantity_wh: int
    total_utoken: int
    available_wh: int
    wanted_wh: int
    offer_count: int
    bid_count: int
    other_rule: str
    other_rule_price_utoken_per_kwh: int | None
    demand_curve: list[list[int]]
    supply_curve: list[list[int]]
    matches: list[dict[str, object]]
    not_executable: list[list[str]]
    excluded: list[list[str]]
    line_limit_wh: int | None = None
    curtailed_wh: int = 0
    regulated: dict[str, int] | None = None
    utility: list[dict[str, object]] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    solved_by: str = "contract"

    def typed_matches(self) -> list[Match]:
        """The matches as records; none for a large book."""
        return [Match(**entry) for entry in self.matches]  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class TallyPage:
    """The orders of some households of a closed listing, in columns.

    From household `from_idgrid` ("": the first) up to, not including, `to_idgrid` ("": the end).
    """

    listing_id: str
    from_idgrid: str
    to_idgrid: str
    order_ids: list[str]
    idgrids: list[str]
    is_bid: list[int]
    energies_wh: list[int]
    prices_utoken_per_kwh: list[int]
    res_ids: list[str | None]
    preferred: dict[str, list[str]]

    @classmethod
    def of(
        cls, listing_id: str, from_idgrid: str, to_idgrid: str, orders: list[MarketOrder]
    ) -> "TallyPage":
        """The page of these orders."""
        return cls(
            listing_id=listing_id,
            from_idgrid=from_idgrid,
            to_idgrid=to_idgrid,
            order_ids=[order.order_id for order in orders],
            idgrids=[order.idgrid for order in orders],
            is_bid=[int(order.side == "bid") for order in orders],
            energies_wh=[order.energy_wh for order in orders],
            prices_utoken_per_kwh=[order.price_utoken_per_kwh for order in orders],
            res_ids=[order.res_id for order in orders],
            preferred={order.order_id: order.preferred for order in orders if order.preferred},
        )

    def orders(self) -> list[MarketOrder]:
        """The orders as placed, as far as an auction needs them."""
        columns = zip(
            self.order_ids,
            self.idgrids,
            self.is_bid,
            self.energies_wh,
            self.prices_utoken_per_kwh,
            self.res_ids,
            strict=True,
        )
        return [
            MarketOrder(
                order_id=order_id,
                listing_id=self.listing_id,
                idgrid=idgrid,
                side="bid" if is_bid else "offer",
                energy_wh=energy_wh,
                price_utoken_per_kwh=price,
                res_id=res_id,
                preferred=self.preferred.get(order_id, []),
            )
            for order_id, idgrid, is_bid, energy_wh, price, res_id in columns
        ]


@dataclass(frozen=True, slots=True)
class FillsPage:
    """What the auction decided about the orders of a `TallyPage`, in its order.

    `regulated_wh` and `regulated_utoken` are empty where no order of the page has any.
    """

    listing_id: str
    from_idgrid: str
    positions: list[int]
    matched_wh: list[int]
    amounts_utoken: list[int]
    regulated_wh: list[int]
    regulated_utoken: list[int]


@dataclass(frozen=True, slots=True)
class ReleasedPage:
    """The escrows of a page are released: so many orders, so many micro-tokens."""

    listing_id: str
    from_idgrid: str
    order_count: int
    released_utoken: int
