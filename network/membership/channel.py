"""The channel's configuration as the running peers have it, and handing an update to them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from grpc import aio

from ledger.client.blocks import follow_blocks, newest_block
from ledger.client.ordering import broadcast
from ledger.crypto.hashing import block_hash
from ledger.crypto.signing import SigningIdentity
from ledger.errors import GridledgerError, InvalidMessage
from ledger.model.block import SLOT_SIGNATURES, Block
from ledger.model.codec_block import decode_block, decode_block_signatures
from ledger.model.config import VALIDATORS_MIN
from ledger.model.config_codec import decode_config_block
from ledger.node.endorsing.endorsing_peers import client_addresses
from ledger.node.membership.channel import ChannelState, channel_state
from ledger.rpc.orderer_status import FOLLOWS_ONLY
from network.layout import NetworkLayout
from network.plan import MemberPlan, PeerPlan, Plan
from network.running.clients import admin_identity, channel_to

ANSWER_TIMEOUT_S = 10.0
EFFECT_TIMEOUT_S = 30.0
STRAGGLER_WAIT_S = 5.0
"""So long a peer that is behind is waited for, so that the next update meets no old state."""
POLL_S = 0.1


class NoPeerAnswers(GridledgerError):  # noqa: N818 - what happened
    """None of the members' peers could be asked."""


class UpdateRefused(GridledgerError):  # noqa: N818
    """A validator refused an update; the text is its own."""


@dataclass(frozen=True, slots=True)
class ActingMember:
    """Where a command works: the network on disk, and the member it acts for."""

    plan: Plan
    layout: NetworkLayout
    member: MemberPlan

    @property
    def admin(self) -> SigningIdentity:
        """The member's administrator."""
        return admin_identity(self.member, self.layout)

    def peers(self) -> Sequence[PeerPlan]:
        """Whom to ask: the member's own peers first."""
        return sorted(self.plan.peers, key=lambda one: one.member_id != self.member.id)


async def read_channel(acting: ActingMember) -> ChannelState:
    """The newest configuration that any peer has; raises NoPeerAnswers."""
    answers = await asyncio.gather(*(_answer(acting, peer) for peer in acting.peers()))
    states = [one for one in answers if isinstance(one, ChannelState)]
    if not states:
        reasons = "; ".join(str(one) for one in answers)
        raise NoPeerAnswers(f"no peer tells the channel's configuration: {reasons}")
    return max(states, key=lambda state: state.config_block)


async def _answer(acting: ActingMember, peer: PeerPlan) -> ChannelState | str:
    """The configuration a peer has, or why it does not tell."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await _read(acting, peer)
    except aio.AioRpcError as error:
        return f"{peer.id}: {error.details() or error.code().name}"
    except (InvalidMessage, NoPeerAnswers) as error:
        return f"{peer.id}: {error}"
    except TimeoutError:
        return f"{peer.id}: no answer"


def peer_addresses(acting: ActingMember, state: ChannelState) -> dict[int, str]:
    """host:port for clients, by consenter id: as the plan has it now, else as the channel does."""
    planned = {peer.consenter_id: peer.address for peer in acting.plan.peers}
    return client_addresses(state.config) | planned


async def height_of(acting: ActingMember, address: str) -> int | None:
    """Blocks that the peer at an address (host:port for clients) has; None when it is down.

    Asked as the acting's own administrator: every member may read.
    """
    if not address:
        return None
    channel = channel_to(address, acting.layout)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            newest = await newest_block(channel, acting.admin, acting.plan.channel_id)
    except (aio.AioRpcError, InvalidMessage, TimeoutError):
        return None
    finally:
        await channel.close()
    return newest.number + 1


async def submit_update(acting: ActingMember, envelope_raw: bytes) -> str:
    """Hand a CONFIG_UPDATE to ordering; the id of the peer that took it.

    Peers that cannot be reached, or are no validators, are passed over. Raises UpdateRefused with
    a peer's own words.
    """
    for peer in acting.peers():
        channel = channel_to(peer.address, acting.layout)
        try:
            async with asyncio.timeout(EFFECT_TIMEOUT_S):
                answer = await broadcast(channel, envelope_raw)
        except (aio.AioRpcError, TimeoutError):
            continue
        finally:
            await channel.close()
        if answer.is_accepted:
            return peer.id
        if answer.info == FOLLOWS_ONLY:
            continue
        raise UpdateRefused(f"{peer.id}'s validator refuses: {answer.info}")
    raise NoPeerAnswers("no validator takes the update: is the network running?")


async def wait_for_sequence(acting: ActingMember, sequence: int) -> ChannelState:
    """The configuration with that sequence number; raises TimeoutError.

    Every peer that answers has it then, except stragglers.
    """
    loop = asyncio.get_running_loop()
    patience_ends = loop.time() + STRAGGLER_WAIT_S
    async with asyncio.timeout(EFFECT_TIMEOUT_S):
        while True:
            answers = await asyncio.gather(*(_answer(acting, peer) for peer in acting.peers()))
            states = [one for one in answers if isinstance(one, ChannelState)]
            arrived = [one for one in states if one.config.sequence >= sequence]
            if arrived and (len(arrived) == len(states) or loop.time() > patience_ends):
                return arrived[0]
            await asyncio.sleep(POLL_S)


async def _read(acting: ActingMember, peer: PeerPlan) -> ChannelState:
    channel = channel_to(peer.address, acting.layout)
    identity, channel_id = acting.admin, acting.plan.channel_id
    try:
        newest = await newest_block(channel, identity, channel_id)
        number = _config_number(newest)
        async for block in follow_blocks(channel, identity, channel_id, number, number):
            return _state(acting, block)
    finally:
        await channel.close()
    raise NoPeerAnswers(f"{peer.id} has no block {number}")


def _state(acting: ActingMember, block: Block) -> ChannelState:
    genesis = decode_block(acting.layout.genesis_block.read_bytes())
    founders = len(decode_config_block(genesis).consenters)
    return channel_state(
        block,
        genesis_hash=block_hash(genesis.header),
        validators_min=min(VALIDATORS_MIN, founders),
    )


def _config_number(block: Block) -> int:
    """The newest configuration block up to and with `block`."""
    if block.number == 0:
        return 0
    try:
        decode_config_block(block)
    except InvalidMessage:
        return decode_block_signatures(block.metadata[SLOT_SIGNATURES]).last_config_number
    is_valid = block.metadata[2][:1] == b"\x00"
    named = decode_block_signatures(block.metadata[SLOT_SIGNATURES]).last_config_number
    return block.number if is_valid else named
