"""A market in which everything is refused that should be: who tries, and how refusals look."""

import asyncio
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from grpc import aio

from ledger.client.connection import client_channel
from ledger.client.proposals import UnsignedProposal
from ledger.client.refusals import peer_errors
from ledger.crypto.signing import CURVE_ORDER, HALF_ORDER, SigningIdentity
from ledger.model.codec import decode_prepared_transaction, prepared_transaction_payload
from ledger.model.codec_block import decode_block, encode_block
from ledger.model.codec_proposal import decode_proposal
from ledger.model.config_codec import decode_config_block
from ledger.rpc.transport import identity_bytes
from network.certificates.authority import KeyPair, MemberAuthority
from network.certificates.credentials import member_authority
from network.founding.creation import begin_ledger_folder
from network.founding.genesis import GENESIS_NONCE_BYTES, genesis_block
from network.layout import write_replacing
from tests.integration.market_scene import Home, MarketScene
from tests.integration.running_network import RunningNetwork, running_network

NOBODY = "StrangerMSP"


@dataclass(frozen=True)
class Scene:
    """A market with two homes, and identities that must not be let in."""

    market: MarketScene
    home: Home
    neighbour: Home
    listing: str
    strangers: dict[str, SigningIdentity]


@contextmanager
def running_scene(folder: Path) -> Iterator[Scene]:
    """Start a network of whose members one has revoked a client, and open the market."""
    revoked: list[KeyPair] = []

    def revoke_one(network: RunningNetwork) -> None:
        revoked.append(_revoke_a_client_in_the_genesis_block(network))

    with (
        running_network(folder, before_start=revoke_one) as network,
        asyncio.Runner() as runner,
    ):
        market = MarketScene(network, runner)
        market.run(market.open())
        strangers = _strangers(market.authority, revoked[0])
        yield market.run(_scene(market, strangers))
        market.run(market.close())


async def _scene(market: MarketScene, strangers: dict[str, SigningIdentity]) -> Scene:
    home, neighbour = await asyncio.gather(market.join(), market.join())
    return Scene(market, home, neighbour, await market.open_listing(), strangers)


def _revoke_a_client_in_the_genesis_block(network: RunningNetwork) -> KeyPair:
    """Issue a client, revoke it, and put the list into the channel's first configuration."""
    plan, layout = network.plan, network.layout
    now = datetime.now(tz=UTC)
    authority = member_authority(plan, "cooperative", layout)
    revoked = authority.issue_client("revoked", {"role": "prosumer"}, now=now)
    revocation_list = authority.revoke([revoked.certificate_pem], now=now)
    config = decode_config_block(decode_block(layout.genesis_block.read_bytes()))
    members = tuple(
        replace(member, revocation_lists=(revocation_list,))
        if member.mspid == authority.mspid
        else member
        for member in config.members
    )
    block = genesis_block(
        replace(config, members=members),
        timestamp_ns=int(now.timestamp()) * 1_000_000_000,
        nonce=secrets.token_bytes(GENESIS_NONCE_BYTES),
    )
    write_replacing(layout.genesis_block, encode_block(block))
    for member in plan.members:
        folder = layout.member(member.id)
        shutil.rmtree(folder.ledger_dir)
        begin_ledger_folder(folder, block)
    return revoked


def _strangers(authority: MemberAuthority, revoked: KeyPair) -> dict[str, SigningIdentity]:
    """By the reason for which each is refused."""
    now = datetime.now(tz=UTC)
    long_ago = now - timedelta(days=authority.certificate_days + 1)
    elsewhere = MemberAuthority.create(NOBODY, "Somebody else", now=now)
    impostor = MemberAuthority.create(authority.mspid, authority.organization, now=now)
    return {
        "UNKNOWN_MEMBER": _client(elsewhere, now),
        "CERTIFICATE_INVALID": _client(impostor, now),
        "CERTIFICATE_EXPIRED": _client(authority, long_ago),
        "CERTIFICATE_REVOKED": authority.signing_identity(revoked),
    }


def _client(authority: MemberAuthority, now: datetime) -> SigningIdentity:
    return authority.signing_identity(
        authority.issue_client("client", {"role": "prosumer"}, now=now)
    )


# -- how a call is refused ------------------------------------------------------------------------


async def refused_call(scene: Scene, method: str, raw: bytes) -> aio.AioRpcError:
    """The error of a unary or streaming call with these request bytes."""
    network = scene.market.network
    bundle = network.layout.tls_ca_bundle.read_bytes()
    async with client_channel(network.plan.members[0].address, bundle) as channel:
        call = channel.unary_stream(method, identity_bytes, identity_bytes)(raw)
        with pytest.raises(aio.AioRpcError) as caught:
            await call.read()
    return caught.value


async def refused_endorsement(
    scene: Scene, identity: SigningIdentity, proposal: UnsignedProposal, signature: bytes = b""
) -> str:
    """Why every peer that was asked refuses the proposal."""
    with pytest.raises(aio.AioRpcError) as caught:
        await scene.market.client.endorse(proposal, signature or identity.sign(proposal.raw))
    assert caught.value.code() == grpc.StatusCode.ABORTED
    details = peer_errors(caught.value)
    assert details
    assert {detail.mspid for detail in details} <= {
        member.mspid for member in scene.market.network.plan.members
    }
    [message] = {detail.message for detail in details}
    return message


async def refused_order(
    scene: Scene, home: Home, function: str, *arguments: str, at_ms: int | None = None
) -> str:
    """Why the contract refuses; nothing changes on any validator."""
    async with scene.market.unchanged():
        proposal = scene.market.propose(home.identity, function, *arguments, at_ms=at_ms)
        return await refused_endorsement(scene, home.identity, proposal)


async def refused_submit(
    scene: Scene, proposal: UnsignedProposal, payload: bytes, signature: bytes
) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as caught:
        await scene.market.client.submit(proposal.tx_id, payload, signature)
    return caught.value


def offer_arguments(scene: Scene, home: Home | None = None) -> tuple[str, str, str, str]:
    return (scene.listing, (home or scene.home).res_id, "1000", "50000")


async def endorsed_offer(scene: Scene, home: Home) -> tuple[UnsignedProposal, bytes]:
    """A good proposal and its prepared payload, in a listing of its own."""
    listing = await scene.market.open_listing()
    proposal = scene.market.propose(
        home.identity, "market:place_offer", listing, home.res_id, "1000", "50000"
    )
    return proposal, await scene.market.endorse(home.identity, proposal)


def forged_payload(identity: SigningIdentity, proposal: UnsignedProposal, good: bytes) -> bytes:
    """`proposal` with the result and the endorsements of another transaction."""
    transaction = decode_prepared_transaction(good).transaction
    assert transaction is not None
    return prepared_transaction_payload(
        decode_proposal(proposal.raw, identity.sign(proposal.raw)),
        transaction.proposal_response_payload_raw,
        transaction.endorsements,
    )


def with_high_s(signature: bytes) -> bytes:
    """The other form of the same signature, which anybody could make."""
    r, s = decode_dss_signature(signature)
    assert s <= HALF_ORDER
    return encode_dss_signature(r, CURVE_ORDER - s)


async def account(scene: Scene, home: Home) -> dict[str, int]:
    view: dict[str, int] = await scene.market.ask(home.identity, "tokens:account", home.idgrid)
    return view


async def orders(scene: Scene, home: Home, listing: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = await scene.market.ask(
        home.identity, "market:get_orders", listing, home.idgrid
    )
    return found
