"""Whatever is registered, approved, given away and left in whatever order: what always holds."""

import json
from functools import cache
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chaincode.shim.testing import TestClient
from tests.unit.energy.community import Community

HOUSEHOLDS, METERS = 3, 4
BUG = 500
"""From this status on a contract failed; below, it refused."""
STEP = st.tuples(
    st.sampled_from(["register", "approve", "give", "grant", "leave"]),
    st.integers(0, HOUSEHOLDS - 1),
    st.integers(0, METERS - 1),
)


@cache
def founded() -> Community:
    """Three approved households with a meter each; every history starts from there."""
    community = Community.found()
    for _ in range(HOUSEHOLDS):
        community.register(role="consumer", tokens=0)
    return community


def attempt(community: Community, client: TestClient, function: str, *args: str) -> None:
    """Submit; a refusal is fine, a failure is not."""
    done = client.simulate(function, *args)
    assert done.response.status < BUG, done.response.message
    if done.response.status < 400:
        assert community.ledger.commit([done]) == ["VALID"]


def do(community: Community, what: str, number: int, meter_id: str) -> None:
    home = community.households[number]
    point = home.meter.public_key.hex()
    if what == "register":
        arguments = ("registry:register_meter", meter_id, home.idgrid, point)
        attempt(community, home.client, *arguments)
    elif what == "approve":
        attempt(community, community.dso, "registry:approve_meter", meter_id)
    elif what == "give":
        for giver in community.households:
            offer = ("devices:offer_transfer", meter_id, home.idgrid)
            attempt(community, giver.client, *offer)
        attempt(community, home.client, "devices:accept_transfer", meter_id)
    elif what == "grant":
        attempt(community, home.client, "access:grant", "market", meter_id)
    else:
        attempt(community, home.client, "membership:leave", home.idgrid)


def records(community: Community, prefix: str) -> list[dict[str, Any]]:
    ledger = community.ledger
    return [json.loads(ledger.state(key) or b"") for key in ledger.keys(f"{prefix}~")]


def require_consistent(community: Community) -> None:
    """Index, participants and devices say the same, and a meter is at one place at a time."""
    owner = {meter["meter_id"]: meter["owner_idgrid"] for meter in records(community, "meter")}
    connections = records(community, "connection")
    now = [one for one in connections if one["until_ms"] is None]
    assert len({one["meter_id"] for one in now}) == len(now)
    assert all(owner[one["meter_id"]] == one["idgrid"] for one in now)
    for participant in records(community, "participant"):
        at = [one["meter_id"] for one in now if one["idgrid"] == participant["idgrid"]]
        assert sorted(participant["meter_ids"]) == sorted(at)
    for meter_id in owner:
        mine = [one for one in connections if one["meter_id"] == meter_id]
        in_order = sorted(mine, key=lambda one: int(one["from_ms"]))
        assert all(
            former["until_ms"] is not None and former["until_ms"] <= later["from_ms"]
            for former, later in pairwise(in_order)
        )


@settings(max_examples=150)
@given(st.lists(STEP, max_size=20))
def test_a_meter_is_at_one_connection_and_everybody_agrees_which(
    steps: list[tuple[str, int, int]],
) -> None:
    community = founded()
    start = community.ledger.snapshot()
    try:
        for what, number, meter in steps:
            community.ledger.advance(seconds=1)
            do(community, what, number, f"meter-{meter}")
        require_consistent(community)
    finally:
        community.ledger.restore(start)
