"""Trades become transfers: once a listing is cleared, each between two nodes, each once.

What was traded comes from the read model, so nobody has to be asked and a gateway that was away
catches up. A transfer's id is `<listing>.<place among its trades>`: planned again it is known.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from chaincode.energy.market.records import ListingState
from chaincode.energy.market.trades import Trade
from chaincode.energy.registry.records import Status
from gateway.books.community import Community
from gateway.books.market import Market
from gateway.hems.devices import Device
from gateway.hems.service import Stores
from gateway.hems.transfers import plan_trades
from gateway.ledger_access.block_signal import BlockSignal
from gateway.mqtt.device_messages import LOST
from gateway.readmodel.market_queries import listings
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import ListingSummary

ONLY_BUS = "bus"
"""Where the settings name no buses, all nodes of the gateway share this one."""
LISTINGS_MAX = 100
"""Cleared and not yet settled at once."""
_TRADED = (ListingState.CLEARED, ListingState.DELIVERING)

logger = logging.getLogger(__name__)


class TransferPlanner:
    """Plans for one community. Calls block.

    `buses`: device → the bus its relays are on (docs/wiring.md). Transfers of one bus take turns;
    between two buses, and from a node on none of those named, nothing can flow.
    """

    def __init__(
        self,
        readmodel: ReadModel,
        market: Market,
        community: Community,
        stores: Stores,
        buses: Mapping[str, str] | None = None,
    ) -> None:
        self._readmodel = readmodel
        self._market = market
        self._community = community
        self._stores = stores
        self._buses = buses or {}
        self._trades: dict[str, list[Trade]] = {}
        """Of the listings that deliver or will: what was cleared does not change any more."""

    def plan(self, now_ms: int) -> list[str]:
        """Plan what is not planned yet; the ids of what is new.

        A node that comes back while its listing delivers gets its transfers then; all of a
        listing and bus are there at once, since they share the time.
        """
        with self._readmodel.at_one_height():
            current = [
                listing
                for listing in listings(self._readmodel, states=_TRADED, limit=LISTINGS_MAX).items
                if listing.delivery_end_ms > now_ms
            ]
            nodes = self._nodes() if current else {}
            self._trades = {
                listing.listing_id: self._traded(listing.listing_id) for listing in current
            }
        ordered = sorted(current, key=lambda listing: listing.delivery_start_ms)
        return [
            name
            for listing in ordered
            for bus, of_bus in self._by_bus(nodes).items()
            for name in self._plan_listing(listing, bus, of_bus)
        ]

    def _by_bus(self, nodes: dict[str, str]) -> dict[str, dict[str, str]]:
        """Of every bus with two nodes or more: IDgrid → node."""
        found: dict[str, dict[str, str]] = {}
        for idgrid, node in nodes.items():
            bus = self._buses.get(node) if self._buses else ONLY_BUS
            if bus is not None:
                found.setdefault(bus, {})[idgrid] = node
        return {bus: of_bus for bus, of_bus in found.items() if len(of_bus) > 1}

    def _traded(self, listing_id: str) -> list[Trade]:
        known = self._trades.get(listing_id)
        return self._market.trades(listing_id) if known is None else known

    def _plan_listing(self, listing: ListingSummary, bus: str, nodes: dict[str, str]) -> list[str]:
        book = self._stores.transfers
        named = (
            (f"{listing.listing_id}.{place}", trade.seller, trade.buyer, trade.energy_wh)
            for place, trade in enumerate(self._trades[listing.listing_id], start=1)
        )
        wanted = plan_trades(
            [trade for trade in named if book.get(trade[0]) is None],
            nodes,
            segment=bus,
            first_number=book.next_number(),
            begins_ms=listing.delivery_start_ms,
            until_ms=listing.delivery_end_ms,
        )
        return [transfer.transfer_id for transfer in book.plan_all(wanted)] if wanted else []

    def _nodes(self) -> dict[str, str]:
        """IDgrid → node, of households whose approved meter has both relays and is there."""
        owners = {
            meter.meter_id: meter.owner_idgrid
            for meter in self._community.meters()
            if meter.status == Status.APPROVED
        }
        found: dict[str, str] = {}
        for device in _with_relays(self._stores.devices.all()):
            if device.device_id in owners:
                found.setdefault(owners[device.device_id], device.device_id)
        return found


def _with_relays(devices: Iterable[Device]) -> list[Device]:
    return [
        device
        for device in devices
        if None not in (device.relay_in, device.relay_out) and device.state != LOST
    ]


async def keep_planning(
    planner: TransferPlanner, blocks: BlockSignal, clock_ms: Callable[[], int]
) -> None:
    """Plan after every block, for ever."""
    while True:
        height = blocks.height
        for transfer_id in await asyncio.to_thread(planner.plan, clock_ms()):
            logger.info("transfer %s is planned", transfer_id)
        await blocks.next(height)
