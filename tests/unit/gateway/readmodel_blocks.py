"""Blocks for tests of the read model: real bytes, keys of the contracts."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

from chaincode.energy import keys
from chaincode.energy.market.auction_records import AuctionResult, Match
from chaincode.energy.market.records import Listing, MarketOrder
from chaincode.energy.records import encode
from chaincode.energy.settlement.records import Metering, SettlementLine
from gateway.database import Database
from gateway.readmodel.projector import Projector
from gateway.readmodel.queries import ReadModel
from ledger.crypto.proposal import build_proposal
from ledger.model.codec import encode_envelope
from tests.support.gateway_database import fresh_database
from tests.unit.gateway.ledger_double import CHAINCODE, CHANNEL, LedgerDouble, Writes, an_identity

HOME, OTHER_HOME = "VAL-0001-A", "VAL-0002-B"
IDENTITIES = {idgrid: an_identity({"idgrid": idgrid}) for idgrid in (HOME, OTHER_HOME)}
HOUR = "2026-01-01T10"
HOUR_MS = 3_600_000


class Ledger:
    """A chain that a test writes, and the read model that follows it when told to."""

    def __init__(self, database: Database | None = None) -> None:
        self.double = LedgerDouble(lambda _function, _args: self._writes)
        self._writes: Writes = {}
        self._nonce = 0
        self.database = database or fresh_database()
        self.projector = Projector(self.database, CHAINCODE)
        self.readmodel = ReadModel(self.database, CHAINCODE)

    def block(self, *transactions: tuple[str, Writes], idgrid: str = HOME, args=()) -> None:
        """One block with a transaction per (function, writes)."""
        asyncio.run(self._block(transactions, idgrid, args))

    def raw_block(self, *entries: bytes) -> None:
        asyncio.run(self.double.add_block(entries))

    def catch_up(self) -> None:
        for block in self.double.chain[self.projector.prepare() :]:
            self.projector.apply(block)

    async def _block(
        self, transactions: Sequence[tuple[str, Writes]], idgrid: str, args: Sequence[str]
    ) -> None:
        entries = [await self.entry(*each, idgrid=idgrid, args=args) for each in transactions]
        await self.double.add_block(tuple(entries))

    async def entry(self, function: str, writes: Writes, *, idgrid: str, args=()) -> bytes:
        identity = IDENTITIES[idgrid]
        self._nonce += 1
        tx_id, proposal = build_proposal(
            channel_id=CHANNEL,
            chaincode_name=CHAINCODE,
            args=(function.encode(), *(arg.encode() for arg in args)),
            creator=identity.serialized,
            nonce=self._nonce.to_bytes(24, "big"),
            timestamp_ns=self._nonce * 1_000_000,
        )
        self._writes = writes
        payload = await self.double.endorse(tx_id, proposal, identity.sign(proposal))
        return encode_envelope(payload, identity.sign(payload))


def a_listing(
    listing_id: str = HOUR, state: str = "AUTHORIZE_OFFERS", start_ms: int = 0
) -> Writes:
    listing = Listing(
        listing_id=listing_id,
        state=state,
        preset="hourly",
        rule="crossing",
        rule_version=1,
        k="1/2",
        ration="fifo",
        floor_utoken_per_kwh=10_000,
        cap_utoken_per_kwh=90_000,
        max_order_wh=10_000,
        opens_at_ms=start_ms - 2 * HOUR_MS,
        gate_closure_ms=start_ms - HOUR_MS,
        delivery_start_ms=start_ms,
        delivery_end_ms=start_ms + HOUR_MS,
        settlement_end_ms=start_ms + 2 * HOUR_MS,
        reading_tolerance_ms=0,
        opened_by_tx="00",
    )
    return {keys.listing(listing_id): encode(listing)}


def a_result(listing_id: str, *, matched: Sequence[str]) -> Writes:
    """Bids of 1 kWh at 54,000, one for each household, all matched."""
    matches = [
        Match(f"o{number}", idgrid, "bid", 1_000, 54_000, 54_000, number)
        for number, idgrid in enumerate(matched, start=1)
    ]
    energy_wh = 1_000 * len(matches)
    result = AuctionResult(
        listing_id=listing_id,
        rule="crossing",
        rule_version=1,
        k="1/2",
        ration="fifo",
        price_utoken_per_kwh=54_000,
        price_interval=[54_000, 54_000],
        quantity_wh=energy_wh,
        total_utoken=54_000 * len(matches),
        available_wh=energy_wh,
        wanted_wh=energy_wh,
        offer_count=0,
        bid_count=len(matches),
        other_rule="average_bid",
        other_rule_price_utoken_per_kwh=54_000,
        demand_curve=[[54_000, energy_wh]],
        supply_curve=[],
        matches=[asdict(match) for match in matches],
        not_executable=[],
        excluded=[],
    )
    return {keys.result(listing_id): encode(result)}


def an_order(order_id: str, idgrid: str = HOME, listing_id: str = HOUR) -> Writes:
    order = MarketOrder(order_id, listing_id, idgrid, "bid", 1_000, 54_000, None)
    return {keys.order(listing_id, idgrid, order_id): encode(order)}


def a_cancellation(order_id: str, idgrid: str = HOME, listing_id: str = HOUR) -> Writes:
    return {keys.order(listing_id, idgrid, order_id): b""}


def a_line(idgrid: str, *, sold_wh: int) -> SettlementLine:
    return SettlementLine(
        idgrid=idgrid,
        imported_wh=0,
        exported_wh=sold_wh,
        matched_sell_wh=sold_wh,
        matched_buy_wh=0,
        sold_wh=sold_wh,
        bought_wh=0,
        received_utoken=sold_wh * 54,
        paid_utoken=0,
        refunded_utoken=0,
        bought_from_utility_wh=0,
        owed_to_utility_utoken=0,
        sold_to_utility_wh=0,
        owed_by_utility_utoken=0,
        network_charge_utoken=0,
        pool_share_utoken=0,
        metering=next(iter(Metering)).value,
    )
