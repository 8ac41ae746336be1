"""A street on which everything that moves money happens, and read models that saw it all."""

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from gateway.readmodel.queries import ReadModel
from tests.support.contract_recording import Recorded, record
from tests.unit.energy.community import Community, Household, hour_of
from tests.unit.energy.groups import test_any_sequence as groups
from tests.unit.energy.market.test_sealed_orders import hash_of, opening_of
from tests.unit.energy.marketplace.scene import call, offer, request
from tests.unit.gateway.readmodel_blocks import HOME, Ledger

DEALT = "2026-01-16T08"
SEALED, STOPPED = "2026-01-16T10", "2026-01-16T12"
TRANSACTIONS_PER_BLOCK = 3


@dataclass(frozen=True, slots=True)
class BusyStreet:
    """`transactions`: everything the contracts wrote since the street was founded."""

    community: Community
    transactions: list[Recorded]


@cache
def busy_street(seed: int) -> BusyStreet:
    """Random trading of households and groups, then steps of every other kind; all settled."""
    dice = random.Random(seed)
    community = Community.found(start="2026-01-14T21:00:00Z")
    transactions = record(community.ledger)
    _founded(community, dice)
    posts = groups.live(community, dice)
    community.ledger.at(hour_of(groups.HOURS[-1]) + timedelta(days=1, hours=2))
    _corrections(community, dice)
    _deals(community)
    _sealed_hour(community)
    _stopped_hour(community)
    _by_hand(community)
    community.ledger.at("2026-02-02T00:00:00Z")  # some deals are settled in another month
    groups.traded(community, posts)
    for key in community.ledger.keys("post~"):
        hour, number = key.split("~")[1:]
        groups.attempt(community.scheduler, "marketplace:expire", f"{hour}.{number}")
    return BusyStreet(community, transactions)


@cache
def seen(seed: int, per_block: int = TRANSACTIONS_PER_BLOCK) -> ReadModel:
    """A read model after all of that street; nobody changes it."""
    return replayed(busy_street(seed).transactions, per_block)


def replayed(transactions: list[Recorded], per_block: int = TRANSACTIONS_PER_BLOCK) -> ReadModel:
    """A new read model after these transactions, so many a block."""
    ledger = Ledger()
    asyncio.run(_play(ledger, transactions, per_block))
    ledger.catch_up()
    return ledger.readmodel


async def _play(ledger: Ledger, transactions: list[Recorded], per_block: int) -> None:
    await ledger.double.add_block(())  # the genesis block has no time
    at = 0
    while at < len(transactions):
        part = [
            one for one in transactions[at : at + per_block] if one.at_ms == transactions[at].at_ms
        ]
        entries = [
            await ledger.entry(one.function, one.writes, idgrid=HOME, args=one.args)
            for one in part
        ]
        ledger.double.block_time_ms = part[0].at_ms
        await ledger.double.add_block(tuple(entries))
        at += len(part)


def _founded(community: Community, dice: random.Random) -> None:
    for _ in range(6):
        community.join(tokens=3_000_000)
    for group_id, at in groups.GROUPS.items():
        money_by = dice.choice(("readings", "shares"))
        community.households[at].client.submit("groups:found", group_id, "", money_by)


def _corrections(community: Community, dice: random.Random) -> None:
    for hour in groups.HOURS:
        home = dice.choice(community.households)
        groups.attempt(
            community.dso, "settlement:substitute", hour, home.idgrid, 7, 11, "read on site"
        )
        groups.attempt(community.dso, "settlement:correct", hour)


def _deals(community: Community) -> None:
    """One metered in part, one confirmed without readings, a reservation and a request in vain."""
    community.ledger.at(hour_of(DEALT) - timedelta(hours=1))
    buyer, other, seller = (community.join(tokens=2_000_000) for _ in range(3))
    metered, held = (offer(community, seller, hour=DEALT)["post_id"] for _ in range(2))
    served = request(community, other, hour=SEALED, acceptance="immediate")["post_id"]
    vain = request(community, other, hour=DEALT)["post_id"]
    call(buyer.client, "buy", metered)
    call(other.client, "reserve", held)
    call(other.client, "release", held)
    call(seller.client, "request_to_sell", served, seller.res_id)
    community.deliver({seller.idgrid: (0, 3_200), buyer.idgrid: (4_000, 0)}, DEALT)
    call(community.scheduler, "settle", metered)
    call(community.scheduler, "expire", vain)


def _sealed_hour(community: Community) -> None:
    """One household hides what it committed to, and forfeits."""
    community.ledger.at(hour_of(SEALED) - timedelta(minutes=10))
    community.open(SEALED, is_sealed=True)
    hidden = community.join(tokens=10**8)
    opening = opening_of(hidden, "offer", 3_000, 30_000)
    hidden.client.submit("sealed:commit", SEALED, hash_of(hidden, opening, SEALED))
    for minutes in (2, 1):
        community.ledger.at(hour_of(SEALED) - timedelta(minutes=minutes))
        community.scheduler.submit("market:close_bidding", SEALED)
    community.scheduler.submit("market:clear", SEALED)
    community.scheduler.submit("sealed:void", SEALED)
    community.ledger.at(hour_of(SEALED) + timedelta(hours=1))
    community.settle(SEALED)


def _stopped_hour(community: Community) -> None:
    """A bid whose listing the manager stops."""
    community.ledger.at(hour_of(STOPPED) - timedelta(minutes=10))
    community.open(STOPPED)
    community.bid(community.households[-1], 1_000, 50_000, STOPPED)
    community.manager.submit("listings:stop", STOPPED, "a line is down")


def _by_hand(community: Community) -> None:
    """Deposits, redemptions, gathering, and money out of the community's funds."""
    richest: Household = community.households[-1]
    community.manager.submit("tokens:deposit", richest.idgrid, 1_000, "cash")
    richest.client.submit("tokens:fold")
    richest.client.submit("tokens:redeem", 700, "bank transfer")
    community.manager.submit("tokens:pay_from_fund", "pool", richest.idgrid, 5, "thank you")
