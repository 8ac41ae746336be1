"""The minimum interval between blocks: the preset of 5 s, and 1 s for lower latency."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest

from ledger.client.blocks import follow_blocks
from ledger.crypto.signing import SigningIdentity
from ledger.model.codec_block import consenter_metadata
from network.certificates.credentials import member_authority
from network.chaincode.planned import commit_definitions
from network.running.clients import admin_identity, channel_to, connect
from tests.integration.running_network import RunningNetwork, running_network

pytestmark = pytest.mark.slow

BLOCKS = 4


@dataclass(frozen=True, slots=True)
class Observed:
    """Means over a few blocks, one transaction each."""

    interval_s: float
    latency_s: float


def manager_of(network: RunningNetwork) -> SigningIdentity:
    authority = member_authority(network.plan, "cooperative", network.layout)
    pair = authority.issue_client(
        "manager", now=datetime.now(tz=UTC), attributes={"role": "community_manager"}
    )
    return authority.signing_identity(pair)


async def observe(network: RunningNetwork) -> Observed:
    plan, layout, member = network.plan, network.layout, network.plan.members[0]
    await commit_definitions(plan, layout)
    client, manager = connect(plan, member, layout), manager_of(network)
    staff = json.dumps({"community_manager": [manager.mspid]})
    numbers, latencies = [], []
    for _ in range(BLOCKS):
        begun = time.monotonic()
        submitted = await client.submit_transaction(manager, "energy", "registry:configure", staff)
        latencies.append(time.monotonic() - begun)
        numbers.append(submitted.status.block_number)
    await client.close()
    assert numbers == list(range(numbers[0], numbers[0] + BLOCKS)), "no block without need"
    channel = channel_to(member.address, layout)
    times_ms = []
    async for block in follow_blocks(
        channel, admin_identity(member, layout), plan.channel_id, numbers[0], numbers[-1]
    ):
        metadata = consenter_metadata(block)
        assert metadata is not None
        times_ms.append(metadata.block_time_ms)
    await channel.close()
    gaps = [later - earlier for earlier, later in pairwise(times_ms)]
    return Observed(interval_s=mean(gaps) / 1000, latency_s=mean(latencies))


@pytest.mark.row("E109")
def test_blocks_keep_the_preset_interval_and_a_shorter_one_lowers_latency(tmp_path: Path) -> None:
    found = {}
    for interval_ms in (5_000, 1_000):
        folder = tmp_path / str(interval_ms)
        folder.mkdir()
        with running_network(folder, min_interval_ms=interval_ms) as network:
            found[interval_ms] = asyncio.run(observe(network))
    assert found[5_000].interval_s == pytest.approx(5, rel=0.1)
    assert found[1_000].interval_s < found[5_000].interval_s
    assert found[1_000].latency_s < found[5_000].latency_s
