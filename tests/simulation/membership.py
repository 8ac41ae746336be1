"""Configuration changes during chaos: validators join, leave and get other keys.

The desk of the consortium reads the configuration from some validator that runs, changes it, has
a majority of the members' admins sign the update and hands it to that validator, which wraps it
as the shipped peer does. Another change may have come first; then the block says so.
"""

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from ledger.crypto.signing import SigningIdentity
from ledger.errors import InvalidMessage
from ledger.model.codec import decode_request
from ledger.model.config import ChannelConfig
from ledger.validation.config_transaction import next_config
from ledger.wire import common_pb2
from network.membership.updates import (
    with_limits,
    with_replaced,
    with_validator,
    without_validator,
)
from tests.simulation.keys import CHANNEL_ID, consenter_of
from tests.simulation.node import SimNode
from tests.support.config_updates import config_transaction, update_envelope

if TYPE_CHECKING:
    from tests.simulation.world import World

NONCE_BYTES = 24


class Membership:
    """Proposes changes; the set never gets smaller than it was at first."""

    def __init__(self, world: "World", rng: random.Random) -> None:
        self._world = world
        self._rng = rng

    def plan(self, changes: int) -> None:
        """So many proposals at random times of chaos."""
        for _ in range(changes):
            self._world.at(self._rng.randrange(self._world.swarm.chaos_ms), 0, self._propose)

    def _propose(self) -> None:
        world = self._world
        running = [
            node
            for node in world.honest
            if node.alive
            and world.now_ms >= node.busy_until_ms
            and node.identity in node.committer.tip.validators
        ]
        if not running:
            return
        node = self._rng.choice(running)
        change = self._change(node)
        if change is None:
            return
        what, updated = change
        try:
            raw = self._ordered(node, updated)
        except InvalidMessage as error:
            world.log(f"node {node.slot} refuses an update ({what}): {error}")
            return
        world.log(f"the members change the configuration: {what}")
        world.tally[what] += 1
        world.observer.submitted(raw)
        node.work(node.submit, raw)

    def _change(self, node: SimNode) -> tuple[str, ChannelConfig] | None:
        world, rng = self._world, self._rng
        config = node.channel.state.config
        present = [one.consenter_id for one in config.consenters]
        ready = [
            spare.identity
            for spare in world.honest
            if spare.alive
            and spare.identity not in present
            and spare.identity > config.removed_consenter_id
        ]
        choices = ["limits", "rotate"]
        choices += ["add", "add"] if ready else []
        choices += ["remove", "remove"] if len(present) > len(world.identities) else []
        match rng.choice(choices):
            case "add":
                identity = rng.choice(ready)
                member = world.consortium.member(identity)
                return f"add {identity}", with_validator(config, consenter_of(member, identity))
            case "remove":
                identity = rng.choice(present)
                return f"remove {identity}", without_validator(config, identity)
            case "rotate":
                return self._rotated(config, rng.choice(present))
        most = rng.randint(1, 500)
        return "limits", with_limits(config, max_transactions=most)

    def _rotated(self, config: ChannelConfig, identity: int) -> tuple[str, ChannelConfig] | None:
        """Another key in another certificate; a new address with real signatures."""
        if self._world.consortium.real_signatures:
            return None
        old = next(one for one in config.consenters if one.consenter_id == identity)
        member = self._world.consortium.member(identity)
        pems = [member.node.certificate_pem, member.next_node.certificate_pem]
        pem = next(pem for pem in pems if pem != old.identity_pem)
        new = replace(old, identity_pem=pem, client_tls_cert=pem, server_tls_cert=pem)
        return f"rotate {identity}", with_replaced(config, new)

    def _identity(self, node: SimNode) -> SigningIdentity:
        """With the key that is in force."""
        member = self._world.consortium.member(node.identity)
        consenters = node.channel.state.config.consenters
        pem = next(c.identity_pem for c in consenters if c.consenter_id == node.identity)
        return next(i for i in (member.node, member.next_node) if i.certificate_pem == pem)

    def _ordered(self, node: SimNode, updated: ChannelConfig) -> bytes:
        world, state = self._world, node.channel.state
        members = world.consortium.members
        admins = [member.admin for member in members[: len(members) // 2 + 1]]
        update = update_envelope(
            common_pb2.Config.FromString(state.tree_raw), updated, admins, sender=admins[0]
        )
        following = next_config(decode_request(update), state.in_force, world.signatures)
        return config_transaction(
            common_pb2.Config.FromString(following.tree_raw),
            update,
            self._identity(node),
            channel_id=CHANNEL_ID,
            nonce=self._rng.randbytes(NONCE_BYTES),
        )
