"""One chaos run: a network in a folder, the load on it, something done to it, and the verdict."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from network.chaincode.planned import commit_definitions
from network.founding.creation import create_network
from network.layout import NetworkLayout
from network.plan import Plan, load_plan
from network.ports import free_port_range
from network.running.clients import connect
from tests.chaos import namespaces
from tests.chaos.chaos_plan import ChaosPlan, network_plan_text
from tests.chaos.community import ChaosCommunity
from tests.chaos.load import Load
from tests.chaos.perturbations import Wires
from tests.chaos.relays import Relay, RelayedNetwork
from tests.chaos.validators import Validators

FIRST_PORT_IN_NAMESPACE = 7051


@dataclass(frozen=True)
class Scene:
    """A running network with load ready to start."""

    validators: Validators
    wires: Wires
    load: Load


@asynccontextmanager
async def running_scene(plan: ChaosPlan, folder: Path, *, seed: int) -> AsyncIterator[Scene]:
    """Make or find the network in the folder, start it, hand it out, stop it whatever happens."""
    network, layout = _network(plan, folder)
    validators = Validators(network, layout, prefix=_prefixes(plan))
    wires = _wires(network, layout)
    await wires.open()
    clients = []
    try:
        validators.start(*validators.members)
        await validators.ready(*validators.members)
        await commit_definitions(network, layout)
        clients = [connect(network, member, layout) for member in network.members]
        community = ChaosCommunity(network, layout)
        notes = folder / "acknowledged.txt"
        settled = folder / "settled"
        if not settled.exists():
            await community.settle_in(clients[0])
            settled.touch()
        yield Scene(validators, wires, Load(clients, community, notes, seed=seed))
    finally:
        for client in clients:
            await client.close()
        await validators.stop()
        await wires.close()


def _network(plan: ChaosPlan, folder: Path) -> tuple[Plan, NetworkLayout]:
    path = folder / "network.toml"
    if path.exists():
        network = load_plan(path)
        return network, NetworkLayout(network.data_dir)
    if namespaces.is_inside():
        hosts = [namespaces.address(index) for index in range(plan.validators)]
        first_port = FIRST_PORT_IN_NAMESPACE
    else:
        hosts = ["127.0.0.1"] * plan.validators
        first_port = free_port_range(2 * plan.validators + 1 + plan.validators**2)
    text = network_plan_text(plan, hosts=hosts, first_port=first_port)
    path.write_text(text, encoding="utf-8")
    network = load_plan(path)
    return network, create_network(network, text, now=datetime.now(tz=UTC))


def _prefixes(plan: ChaosPlan) -> dict[str, list[str]]:
    if not namespaces.is_inside():
        return {}
    members = enumerate(member_id for member_id, _, _ in plan.members)
    return {member_id: namespaces.prefix(index) for index, member_id in members}


def _wires(network: Plan, layout: NetworkLayout) -> Wires:
    if namespaces.is_inside():
        return namespaces.NamespacedNetwork(len(network.members))
    relays = list(_relays(network))
    for source, member in enumerate(network.members):
        own = {r.target: r.port for r in relays if r.source == source}
        path = layout.member(member.id).peer_config
        settings = json.loads(path.read_text(encoding="utf-8"))
        for target, validator in enumerate(settings["validators"]):
            if target in own:
                validator["address"] = f"127.0.0.1:{own[target]}"
        path.write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return RelayedNetwork(relays)


def _relays(network: Plan):
    """Ports after those of the plan; the validators of `peer.json` stand in the plan's order."""
    port = network.gateway_port
    for source, _ in enumerate(network.members):
        for target, member in enumerate(network.members):
            port += 1
            if source != target:
                yield Relay(source, target, port, member.host, member.validator_port)
