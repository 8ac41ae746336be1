"""Use cases of reading: listings, order books, results, settlements, accounts, participants.

Everything comes from the projection; energy in Wh, money in micro-tokens, price in micro-tokens
per kWh, times in ms UTC.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, TypeVar

from chaincode.energy import keys, records
from chaincode.energy.records import (
    Account,
    Escrow,
    Listing,
    MarketOrder,
    Meter,
    Participant,
    Payout,
    Res,
)
from gateway.projection import Projection, StateEntry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order and its place on the ledger, which decides ties."""

    order: MarketOrder
    block_number: int
    index: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """A participant's money: what is free, and what open bids have locked."""

    idgrid: str
    balance_utoken: int
    locked_utoken: int
    sold_wh: int
    bought_wh: int


@dataclass(frozen=True, slots=True)
class MoneySupply:
    """All money: `issued` must equal `free` plus `locked`."""

    issued_utoken: int
    free_utoken: int
    locked_utoken: int

    @property
    def is_conserved(self) -> bool:
        """Whether no money appeared or vanished."""
        return self.issued_utoken == self.free_utoken + self.locked_utoken


class Market:
    """Questions about the market, answered at the projection's height."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection

    @property
    def height(self) -> int:
        """Blocks the answers are based on."""
        return self._projection.height

    def listings(self) -> list[Listing]:
        """All listings, the latest delivery first."""
        found = self._records(Listing, "listing")
        return sorted(found, key=lambda listing: listing.delivery_start_ms, reverse=True)

    def listing(self, listing_id: str) -> Listing | None:
        """One listing."""
        return self._record(Listing, keys.listing(listing_id))

    def current_listing(self) -> Listing | None:
        """The listing that takes orders (the earliest gate closure), else the latest one."""
        listings = self.listings()
        open_now = [listing for listing in listings if listing.state == "AUTHORIZE_OFFERS"]
        if open_now:
            return min(open_now, key=lambda listing: listing.gate_closure_ms)
        return listings[0] if listings else None

    def orders(self, listing_id: str) -> list[PlacedOrder]:
        """Orders of a listing in ledger order."""
        placed = [
            PlacedOrder(
                order=records.decode(MarketOrder, entry.value),
                block_number=entry.version.block_number,
                index=entry.version.tx_number,
            )
            for _, entry in self._entries("order", listing_id)
        ]
        return sorted(placed, key=lambda item: (item.block_number, item.index))

    def result(self, listing_id: str) -> dict[str, Any] | None:
        """What the auction decided, as the contract recorded it."""
        return self._json(keys.result(listing_id))

    def settlement(self, listing_id: str) -> dict[str, Any] | None:
        """Totals of a settled listing, as the contract recorded them."""
        return self._json(keys.settlement(listing_id))

    def settlement_lines(self, idgrid: str) -> list[dict[str, Any]]:
        """A household's settled hours, the latest first."""
        found = sorted(self._entries("line", idgrid), reverse=True, key=lambda item: item[0])
        return [
            {"listing_id": key.rpartition("~")[2]} | json.loads(entry.value)
            for key, entry in found
        ]

    def hour_lines(self, listing_id: str) -> list[dict[str, Any]]:
        """Every household's line of a settled listing, by IDgrid."""
        suffix = "~" + listing_id
        found = [(key, entry) for key, entry in self._entries("line") if key.endswith(suffix)]
        return [json.loads(entry.value) for _, entry in sorted(found, key=lambda item: item[0])]

    def participants(self) -> list[Participant]:
        """Everyone registered, by IDgrid."""
        return sorted(self._records(Participant, "participant"), key=lambda p: p.idgrid)

    def participant(self, idgrid: str) -> Participant | None:
        """One participant."""
        return self._record(Participant, keys.participant(idgrid))

    def meters(self) -> list[Meter]:
        """Every registered meter, by id."""
        return sorted(self._records(Meter, "meter"), key=lambda meter: meter.meter_id)

    def meter(self, meter_id: str) -> Meter | None:
        """One meter."""
        return self._record(Meter, keys.meter(meter_id))

    def sources(self) -> list[Res]:
        """Every registered energy source, by id."""
        return sorted(self._records(Res, "res"), key=lambda res: res.res_id)

    def accounts(self) -> list[AccountView]:
        """Every account, by IDgrid: the balance and what is on its way to it, escrows apart."""
        base = {account.idgrid: account for account in self._records(Account, "account")}
        payouts: dict[str, list[Payout]] = defaultdict(list)
        for payout in self._records(Payout, "payout"):
            payouts[payout.idgrid].append(payout)
        locked: dict[str, int] = defaultdict(int)
        for escrow in self._records(Escrow, "escrow"):
            locked[escrow.idgrid] += escrow.locked_utoken
        names = sorted(base.keys() | payouts.keys() | locked.keys())
        return [_account(name, base.get(name), payouts[name], locked[name]) for name in names]

    def account(self, idgrid: str) -> AccountView | None:
        """One account."""
        return next((view for view in self.accounts() if view.idgrid == idgrid), None)

    def money(self) -> MoneySupply:
        """Where all the money is."""
        accounts = self.accounts()
        return MoneySupply(
            issued_utoken=sum(d.amount_utoken for d in self._records(records.Deposit, "deposit")),
            free_utoken=sum(account.balance_utoken for account in accounts),
            locked_utoken=sum(account.locked_utoken for account in accounts),
        )

    def _entries(self, *parts: str) -> list[tuple[str, StateEntry]]:
        prefix, _ = keys.under(*parts)
        return list(self._projection.entries(prefix))

    def _records(self, kind: type[T], *parts: str) -> list[T]:
        return [records.decode(kind, entry.value) for _, entry in self._entries(*parts)]

    def _record(self, kind: type[T], key: str) -> T | None:
        raw = self._projection.value(key)
        return records.decode(kind, raw) if raw else None

    def _json(self, key: str) -> dict[str, Any] | None:
        raw = self._projection.value(key)
        if not raw:
            return None
        content: dict[str, Any] = json.loads(raw)
        return content


def _account(
    idgrid: str, base: Account | None, payouts: list[Payout], locked_utoken: int
) -> AccountView:
    return AccountView(
        idgrid=idgrid,
        balance_utoken=(base.balance_utoken if base else 0)
        + sum(payout.amount_utoken for payout in payouts),
        locked_utoken=locked_utoken,
        sold_wh=(base.sold_wh if base else 0) + sum(payout.sold_wh for payout in payouts),
        bought_wh=(base.bought_wh if base else 0) + sum(payout.bought_wh for payout in payouts),
    )
