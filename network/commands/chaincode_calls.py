"""`gridledger chaincode invoke` and `query`."""

import argparse
import json
from collections.abc import Sequence

from grpc import aio

from ledger.client.gateway import CommitFailed, GatewayClient
from ledger.client.proposals import UnsignedProposal
from ledger.client.refusals import reasons
from ledger.crypto.signing import Signer, SigningIdentity
from network.chaincode.arguments import (
    METADATA_FUNCTION,
    WrongArguments,
    encode_arguments,
    functions_of,
    transient_pair,
    word_bytes,
)
from network.chaincode.lifecycle_client import ChaincodeRefused
from network.commands.chaincode_steps import acting_for
from network.membership.channel import ActingMember
from network.running.clients import connect


async def invoke(options: argparse.Namespace) -> int:
    """Run a function; returns when the transaction is on the ledger and valid."""
    acting = acting_for(options)
    client, identity = (
        connect(acting.plan, acting.member, acting.layout),
        _identity(acting, options),
    )
    try:
        proposal = await _proposal(options, client, identity)
        recorded = await client.order(identity, proposal, options.org)
    except aio.AioRpcError as error:
        raise ChaincodeRefused(reasons(error)) from error
    finally:
        await client.close()
    if not recorded.status.is_valid:
        raise ChaincodeRefused(str(CommitFailed(recorded.tx_id, recorded.status)))
    _show(recorded.result, plain=options.plain)
    if not options.plain:
        print(f"block {recorded.status.block_number}, transaction {recorded.tx_id}")
    return 0


async def query(options: argparse.Namespace) -> int:
    """Ask a function."""
    acting = acting_for(options)
    client, identity = (
        connect(acting.plan, acting.member, acting.layout),
        _identity(acting, options),
    )
    try:
        proposal = await _proposal(options, client, identity)
        signature = identity.sign(proposal.raw)
        answer = await client.evaluate(proposal, signature, options.org)
        _show(answer, plain=options.plain)
    except aio.AioRpcError as error:
        raise ChaincodeRefused(reasons(error)) from error
    finally:
        await client.close()
    return 0


async def _proposal(
    options: argparse.Namespace, client: GatewayClient, identity: SigningIdentity
) -> UnsignedProposal:
    transient = dict(transient_pair(word) for word in options.transient)
    for word in (options.name, options.function, *transient):
        if not word.isprintable():  # nor is what was not typed in UTF-8
            raise WrongArguments(f"{word!r} is no name")
    arguments = await _arguments(options, client, identity)
    return client.propose(
        identity.serialized,
        options.name,
        options.function,
        arguments,
        transient,
        is_init=options.init,
    )


async def _arguments(
    options: argparse.Namespace, client: GatewayClient, identity: SigningIdentity
) -> list[bytes]:
    words: Sequence[str] = options.arguments
    if options.raw:
        return [word_bytes(word) for word in words]
    asked = client.propose(identity.serialized, options.name, METADATA_FUNCTION, ())
    try:
        functions = functions_of(await client.evaluate(asked, identity.sign(asked.raw)))
    except aio.AioRpcError:
        if words or not options.init:
            raise
        return []  # not initialised yet: nothing describes it, and nothing has to be typed
    function = functions.get(options.function)
    if function is None:
        known = "\n  ".join(functions[name].usage for name in sorted(functions) if ":" in name)
        raise WrongArguments(
            f"chaincode {options.name} has no function {options.function!r}; it has\n  {known}"
        )
    return encode_arguments(function, words)


def _identity(acting: ActingMember, options: argparse.Namespace) -> SigningIdentity:
    folder = acting.layout.member(acting.member.id)
    pair = folder.credential(options.user)
    if not pair.key.exists():
        pair = folder.user(options.user)
    if not pair.key.exists():
        raise WrongArguments(f"{acting.member.id} has no key {pair.key}")
    signer = Signer(pair.key.read_bytes())
    return SigningIdentity(acting.member.mspid, pair.certificate.read_bytes(), signer)


def _show(payload: bytes, *, plain: bool) -> None:
    if plain:
        print(payload.decode("utf-8", "replace"))
        return
    try:
        print(json.dumps(json.loads(payload), indent=2, ensure_ascii=False))
    except ValueError:
        print(payload.decode("utf-8", "replace"))
