"""Four validators become seven and four again while households trade (needs some minutes)."""

import asyncio
from collections.abc import Iterator

import pytest

from network.bench.community import Community
from network.chaincode.planned import commit_definitions
from network.plan import Plan
from network.running.clients import connect
from network.running.lifecycle import down, up
from network.running.verification import verify_member
from tests.integration.membership import (
    approve_by_all_needed,
    channel_of,
    member,
    with_more_members,
)
from tests.integration.running_network import RunningNetwork, running_network
from tests.integration.test_consortium import place_one
from tests.integration.validators import agreed_head

pytestmark = pytest.mark.full

HOUSEHOLDS = 24
NEW = ("school", "clinic", "library")
FOUNDERS = ("municipality", "dso", "utility")


@pytest.fixture
def founded(tmp_path) -> Iterator[tuple[Plan, RunningNetwork]]:
    """The founders' plan, and the network with everybody who will join."""
    with running_network(tmp_path) as four:
        asyncio.run(commit_definitions(four.plan, four.layout))
        seven = with_more_members(four, *NEW)
        try:
            yield four.plan, seven
        finally:
            down(seven.plan)


def change(network: RunningNetwork, kind: str, name: str, approvers: tuple[str, ...]) -> None:
    assert member(network, "propose", kind, name) == 0
    approve_by_all_needed(network, *approvers)


def grow_and_shrink(network: RunningNetwork) -> list[int]:
    """The number of validators after each change, as the channel says."""
    sizes = []
    present: tuple[str, ...] = FOUNDERS

    def count() -> None:
        state = asyncio.run(channel_of(network, "dso"))
        sizes.append(len(state.validators.ids))

    for name in NEW:
        change(network, "add", name, present)
        up(network.plan, [name])
        present = (*present, name)
        change(network, "add", name, present)
        count()
    for name in NEW:
        change(network, "remove", name, present)
        count()
    return sizes


def test_from_four_to_seven_and_back_under_load(founded: tuple[Plan, RunningNetwork]) -> None:
    founders, network = founded

    async def scene() -> list[int]:
        client = connect(network.plan, network.plan.members[0], network.layout)
        community = Community(founders, network.layout, [client])
        await community.settle_in(HOUSEHOLDS)
        done = asyncio.Event()
        placed = 0

        async def trade() -> None:
            nonlocal placed
            while not done.is_set():
                offers = await community.offers(HOUSEHOLDS)
                await asyncio.gather(*(place_one(client, offer) for offer in offers))
                placed += len(offers)

        async with asyncio.TaskGroup() as group:
            group.create_task(trade())
            sizes = await asyncio.to_thread(grow_and_shrink, network)
            done.set()
        assert placed > HOUSEHOLDS
        await agreed_head(network)
        await client.close()
        return sizes

    assert asyncio.run(scene()) == [5, 6, 7, 6, 5, 4]
    down(network.plan)
    heights = {
        verify_member(network.layout.member(one.id), network.layout)
        for one in network.plan.members
    }
    assert len(heights) == 1
