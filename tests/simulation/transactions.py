"""Real transactions for simulated clients: signed, endorsed by a majority, reading and writing.

Building one takes a millisecond, so each is built once per process and used by every seed that
asks for the same one. A client reads a key's version from some node as an endorser would; a
transaction that read an old version fails with a conflict when it is ordered.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from ledger.crypto.hashing import endorsement_message, proposal_hash
from ledger.crypto.proposal import build_proposal
from ledger.model.codec import encode_envelope, prepared_transaction_payload
from ledger.model.codec_action import encode_proposal_response_payload
from ledger.model.codec_proposal import (
    decode_signed_proposal,
    encode_signed_proposal,
    strip_transient,
)
from ledger.model.config import DEFAULT_ENDORSEMENT_POLICY
from ledger.model.policy import PolicyReference
from ledger.model.policy_codec import encode_application_policy
from ledger.model.rwset import KeyRead, KeyWrite, NamespaceReadWriteSet, ReadWriteSet, Version
from ledger.model.transaction import ChaincodeAction, ChaincodeResponse, Endorsement
from ledger.validation.context import ChaincodeDefinition
from tests.simulation.keys import CHANNEL_ID, START_MS, SimConsortium

CHAINCODE = "market"
DEFINITION = ChaincodeDefinition(
    version="1.0",
    sequence=1,
    policy=encode_application_policy(PolicyReference(DEFAULT_ENDORSEMENT_POLICY)),
)
LARGEST_VALUE_BYTES = 900 * 1024
"""With everything around it just below the pool's limit of 1 MiB."""
KEYS = ("anna", "ben", "carla", "dora")


@dataclass(frozen=True)
class Order:
    """What a transaction does: move something from one key to another it has read."""

    serial: int
    key: str
    version: Version | None
    endorsers: int
    """How many members endorse; fewer than a majority fail the policy."""
    value_bytes: int = 8
    variant: int = 0
    """Another content under the same transaction id."""


def definition(namespace: str) -> ChaincodeDefinition | None:
    """`ValidationContext.definition`: one chaincode."""
    return DEFINITION if namespace == CHAINCODE else None


def build(consortium: SimConsortium, order: Order) -> bytes:
    """Envelope bytes; equal for equal arguments in every process. Large ones are not kept."""
    if order.value_bytes >= LARGEST_VALUE_BYTES:
        return _build(consortium, order)
    return _kept(consortium, order)


@lru_cache(maxsize=5_000)
def _kept(consortium: SimConsortium, order: Order) -> bytes:
    return _build(consortium, order)


def _build(consortium: SimConsortium, order: Order) -> bytes:
    client = consortium.members[order.serial % len(consortium.members)].client
    nonce = sha256(f"{order.serial} {order.key} {order.version}".encode()).digest()[:24]
    _, proposal_raw = build_proposal(
        channel_id=CHANNEL_ID,
        chaincode_name=CHAINCODE,
        args=[b"put", order.key.encode(), b"%d" % order.variant],
        creator=client.serialized,
        nonce=nonce,
        timestamp_ns=START_MS * 1_000_000 + order.serial,
    )
    proposal = decode_signed_proposal(
        encode_signed_proposal(proposal_raw, client.sign(proposal_raw))
    )
    bound_to = proposal_hash(
        proposal.header.channel_header_raw,
        proposal.header.signature_header_raw,
        strip_transient(proposal.payload_raw),
    )
    action = ChaincodeAction(
        results=_results(order),
        response=ChaincodeResponse(200, "", b""),
        event=None,
        chaincode_name=CHAINCODE,
        chaincode_version="1.0",
    )
    payload_raw = encode_proposal_response_payload(bound_to, action)
    endorsements = [
        Endorsement(
            member.node.serialized,
            member.node.sign(endorsement_message(payload_raw, member.node.serialized)),
        )
        for member in consortium.members[: order.endorsers]
    ]
    payload = prepared_transaction_payload(proposal, payload_raw, endorsements)
    return encode_envelope(payload, client.sign(payload))


def _results(order: Order) -> ReadWriteSet:
    value = (b"%d" % order.serial).ljust(order.value_bytes, b".")
    return ReadWriteSet(
        (
            NamespaceReadWriteSet(
                namespace=CHAINCODE,
                reads=(KeyRead(order.key, order.version),),
                writes=(KeyWrite(order.key, value),),
            ),
        )
    )
