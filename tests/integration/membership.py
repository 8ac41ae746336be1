"""Changing a running channel in tests, with the commands an operator types."""

import time
from pathlib import Path

from ledger.node.membership.channel import ChannelState
from network.commands.cert import main as cert_main
from network.commands.member import main as member_main
from network.layout import NetworkLayout
from network.membership.channel import ActingMember, read_channel
from network.membership.proposals import pending
from network.plan import Plan, load_plan
from network.ports import free_port_range
from tests.integration.running_network import RunningNetwork

FIFTH = "school"
REACHED_SECONDS_MAX = 60
ONE_MORE_MEMBER = """
[[members]]
id = "{id}"
mspid = "{mspid}"
host = "127.0.0.1"
port = {port}
validator_port = {validator_port}
"""


def with_more_members(network: RunningNetwork, *names: str) -> RunningNetwork:
    """The same network with more members written into its plan."""
    start = free_port_range(2 * len(names))
    text = network.plan_path.read_text(encoding="utf-8")
    for number, name in enumerate(names):
        port = start + 2 * number
        text += ONE_MORE_MEMBER.format(
            id=name, mspid=f"{name.capitalize()}MSP", port=port, validator_port=port + 1
        )
    network.plan_path.write_text(text, encoding="utf-8")
    plan: Plan = load_plan(network.plan_path)
    return RunningNetwork(plan, NetworkLayout(plan.data_dir), network.plan_path)


def member(network: RunningNetwork, *words: str) -> int:
    """`gridledger member ...`: its exit status."""
    return member_main([*words, "--plan", str(network.plan_path)])


def cert(network: RunningNetwork, *words: str) -> int:
    """`gridledger cert ...`: its exit status."""
    return cert_main([*words, "--plan", str(network.plan_path)])


def proposal(network: RunningNetwork) -> Path:
    """The one proposal that waits."""
    [path] = pending(network.layout)
    return path


def change(network: RunningNetwork, *words: str, approve: tuple[str, ...]) -> None:
    """Propose a change and let others approve it, after which it is in force."""
    assert member(network, "propose", *words) == 0
    approve_by(network, *approve)


def approve_by_all_needed(network: RunningNetwork, *members: str) -> None:
    """Let members approve what waits, one after the other, until it is in force."""
    name = proposal(network).stem
    for one in members:
        if pending(network.layout):
            assert member(network, "approve", name, "--as", one) == 0
    assert pending(network.layout) == []


def approve_by(network: RunningNetwork, *members: str) -> None:
    """Let these members approve what waits; afterwards nothing waits."""
    name = proposal(network).stem
    for one in members:
        assert member(network, "approve", name, "--as", one) == 0
    assert pending(network.layout) == []


def approve_once_all_are_reached(network: RunningNetwork, one: str) -> None:
    """Approve again until the members' validator has dialled one that was just started."""
    name = proposal(network).stem
    deadline = time.monotonic() + REACHED_SECONDS_MAX
    while member(network, "approve", name, "--as", one) != 0:
        assert time.monotonic() < deadline, f"{one}'s validator still misses another"
    assert pending(network.layout) == []


async def channel_of(network: RunningNetwork, asked: str) -> ChannelState:
    """The newest configuration, asked for by that member's administrator."""
    return await read_channel(
        ActingMember(network.plan, network.layout, network.plan.member(asked))
    )
