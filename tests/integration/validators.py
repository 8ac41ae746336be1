"""What tests do to validator processes, and what they ask them: kill, wait, agree, read blocks."""

import asyncio
import signal
from collections.abc import Sequence

from ledger.client.blocks import follow_blocks
from ledger.model.block import Block
from network.plan import MemberPlan
from network.running.clients import admin_identity, channel_to
from network.running.heads import Head, heads
from network.running.processes import read_pid_file, reap, send_signal, wait_for_exit
from tests.integration.running_network import RunningNetwork

AGREEMENT_TIMEOUT_S = 120.0
BLOCK_TIMEOUT_S = 120.0
POLL_S = 0.05
EXIT_TIMEOUT_S = 60.0


def kill(network: RunningNetwork, *members: MemberPlan) -> None:
    """kill -9, all at once; returns when the processes are gone."""
    processes = [read_pid_file(network.layout.member(member.id).pid_file) for member in members]
    running = [process for process in processes if process is not None]
    assert len(running) == len(members), "every victim runs"
    for process in running:
        send_signal(process, signal.SIGKILL)
    for process in running:
        assert wait_for_exit(process, timeout_s=EXIT_TIMEOUT_S)
        reap(process)


async def agreed_head(
    network: RunningNetwork,
    *,
    at_least: int = 0,
    members: Sequence[MemberPlan] | None = None,
) -> Head:
    """Wait until the members (all by default) answer with one and the same head."""
    async with asyncio.timeout(AGREEMENT_TIMEOUT_S):
        while True:
            found = await heads(network.plan, network.layout, members)
            first = found[0]
            if first is not None and set(found) == {first} and first.height >= at_least:
                return first
            await asyncio.sleep(POLL_S)


async def blocks_of(
    network: RunningNetwork,
    member: MemberPlan,
    first: int,
    last: int,
    *,
    timeout_s: float = BLOCK_TIMEOUT_S,
) -> list[Block]:
    """Blocks as that member delivers them, waiting for those it has not yet; or TimeoutError."""
    channel = channel_to(member.address, network.layout)
    identity = admin_identity(member, network.layout)
    try:
        async with asyncio.timeout(timeout_s):
            blocks = follow_blocks(channel, identity, network.plan.channel_id, first, last)
            return [block async for block in blocks]
    finally:
        await channel.close()
