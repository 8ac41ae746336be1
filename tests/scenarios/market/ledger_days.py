"""Days of random communities on the test ledger: the shipped contracts at four members' peers.

Every transaction runs at the peers of all four members, which must agree on every byte of it.
"""

import random
from datetime import timedelta
from typing import Any

from chaincode.shim import ContractError
from chaincode.shim.testing import TestClient, TestLedger
from tests.unit.energy.community import (
    CAP,
    COOP,
    DSO,
    FLOOR,
    UTILITY,
    Community,
    Household,
    hour_of,
)

HOURS = 24
MEMBERS = (COOP, DSO, UTILITY, "TownMSP")
ALL_PEERS = f"AND({', '.join(repr(f'{mspid}.peer') for mspid in MEMBERS)})"
RULES = ("crossing", "average_bid")
PURSE_UTOKEN = 3_000_000
MAY_BE_REFUSED = {"INSUFFICIENT_FUNDS", "SELF_TRADE", "CAP_EXCEEDED"}


def one_day() -> TestLedger:
    """The day that two processes with different hash seeds compare, call by call."""
    return live_a_day(2026, households=4).ledger


def live_a_day(seed: int, *, households: int) -> Community:
    """24 listings one after the other, neighbours overlapping; every law is checked on the way."""
    rng = random.Random(seed)
    community = Community.found(start="2026-01-14T22:00:00Z", policy=ALL_PEERS, members=MEMBERS)
    homes = [community.join(tokens=PURSE_UTOKEN) for _ in range(households)]
    listings = [f"2026-01-15T{hour:02}" for hour in range(HOURS)]
    settled_wh = 0
    for number, listing in enumerate(listings):
        _trade(community, homes, listing, rng)
        _meter(community, homes, listing, rng)
        if number:
            settled_wh += _settle(community, listings[number - 1])
    community.report(hour_of(listings[-1]) + timedelta(hours=1))
    settled_wh += _settle(community, listings[-1])
    _require_closed(community, homes, settled_wh)
    return community


def _trade(community: Community, homes: list[Household], listing: str, rng: random.Random) -> None:
    community.ledger.at(hour_of(listing) - timedelta(minutes=30))
    rules = {"rule": rng.choice(RULES), "ration": rng.choice(("fifo", "pro_rata"))}
    community.open(listing, preset="hourly", k=rng.choice(("0", "1/3", "1/2", "1")), **rules)
    *traders, latecomer = homes
    in_time = [_order(home, listing, rng) for home in traders for _ in range(2)]
    late = latecomer.client.simulate("market:place_bid", listing, 1, CAP)
    community.ledger.at(hour_of(listing) - timedelta(minutes=2))
    community.scheduler.submit("market:close_bidding", listing)
    # Endorsed in time, but behind the closing in the ledger: its place decides, not its clock.
    (code,) = community.ledger.commit([late])
    assert code == "MVCC_READ_CONFLICT"
    assert _outcome(traders[0].client, "market:place_bid", listing, 1, CAP) == "BIDS_CLOSED"
    result = community.scheduler.submit("market:clear", listing)
    assert result["offer_count"] + result["bid_count"] == sum(in_time)
    assert community.scheduler.submit("market:clear", listing) == result
    for match in result["matches"]:
        assert FLOOR <= result["price_utoken_per_kwh"] <= CAP, match


def _order(home: Household, listing: str, rng: random.Random) -> bool:
    """Whether it was accepted; most are, the others for a reason that may occur."""
    energy_wh, price = rng.randrange(1, 6_000), rng.randrange(FLOOR // 1000, CAP // 1000) * 1000
    if rng.random() < 0.5:
        offer = (listing, home.res_id, energy_wh, price)
        outcome = _outcome(home.client, "market:place_offer", *offer)
    else:
        outcome = _outcome(home.client, "market:place_bid", listing, energy_wh, price)
    assert outcome in {"accepted", *MAY_BE_REFUSED}
    return outcome == "accepted"


def _outcome(client: TestClient, function: str, *args: Any) -> str:
    try:
        client.submit(function, *args)
    except ContractError as refusal:
        return refusal.code
    return "accepted"


def _meter(community: Community, homes: list[Household], listing: str, rng: random.Random) -> None:
    """The reading at the start of delivery also ends the hour before."""
    community.report(hour_of(listing))
    for home in homes:
        home.import_wh += rng.randrange(8_000)
        home.export_wh += rng.randrange(8_000)


def _settle(community: Community, listing: str) -> int:
    record: dict[str, Any] = community.settle(listing)
    before = community.ledger.snapshot().state
    again = _outcome(community.scheduler, "market:settle", listing)
    assert again == "ALREADY_SETTLED"
    assert community.ledger.snapshot().state == before
    return int(record["settled_wh"])


def _require_closed(community: Community, homes: list[Household], settled_wh: int) -> None:
    """All money is free again, none came or went, and what was sold was bought."""
    audit = community.audit()
    assert audit["difference_utoken"] == 0
    assert audit["escrowed_utoken"] == 0
    accounts = [community.account(home) for home in homes]
    assert sum(account["free_utoken"] for account in accounts) == PURSE_UTOKEN * len(homes)
    assert sum(account["sold_wh"] for account in accounts) == settled_wh
    assert sum(account["bought_wh"] for account in accounts) == settled_wh
    assert settled_wh > 0
