"""Transactions that everybody signed: what validation and storage make of their contents.

The input is a part of a transaction; the target wraps it in the rest, with good signatures or
with a rule that takes every signature for good. Nothing here may raise: a bad transaction has a
code, and whatever is valid has to fit into the database.
"""

from dataclasses import replace

from ledger.crypto.hashing import proposal_hash
from ledger.model.codec import encode_envelope, prepared_transaction_payload
from ledger.model.codec_proposal import decode_proposal, strip_transient
from ledger.model.codec_rwset import encode_read_write_set
from ledger.model.codes import ValidationCode
from ledger.model.transaction import Endorsement
from ledger.storage.block_batch import block_batch
from ledger.storage.keyspace import Savepoint
from ledger.validation.block import validate_block
from ledger.validation.commit_hash import commitment_after
from ledger.validation.outcome import outcome_hash
from ledger.wire import common_pb2, protos_pb2
from tests.fuzz import samples
from tests.fuzz.engine import Attempt, FuzzTarget, answer_kind
from tests.fuzz.targets.model import TRANSACTION_BYTES_MAX
from tests.support.ledger_world import decoded


class _TakesEverything:
    """Signatures and policies that always hold, so that changes reach what comes after them."""

    def verify(self, _identity: bytes, _message: bytes, _signature: bytes) -> bool:
        return True

    def require_application_policy(self, policy_raw: bytes, signers: object) -> None:
        pass

    def require_key_policy(self, policy_raw: bytes, signers: object) -> None:
        pass


def _validate(raw: bytes, *, trusting: bool) -> str:
    """Judge an envelope as block 3, make its database batch, and forget both."""
    here = samples.world()
    context = here.context()
    if trusting:
        everything = _TakesEverything()
        context = replace(context, signatures=everything, policies=everything)
    validation = validate_block(
        block_number=here.store.height(),
        envelopes=[decoded(raw)],
        state=here.store,
        context=context,
    )
    block = samples.renumbered(samples.blocks()[1], here.store.height())
    after = commitment_after(
        here.store.tip().commitment,
        genesis_hash=here.store.genesis_hash,
        block_number=here.store.height(),
        codes=validation.codes,
        outcome=outcome_hash(here.store.height(), (raw,), (decoded(raw),), validation.codes),
        updates=validation.updates,
        recorded=validation.recorded,
        state=here.store,
    )
    savepoint = Savepoint(4, 0, bytes(32), after.commit_hash, after.digest)
    block_batch(replace(block, entries=(raw,)), validation, savepoint)
    return answer_kind(validation.codes[0].name, validation.details[0])


def _attempt_results(raw: bytes) -> str:
    """Read-write set bytes inside a transaction that three members endorsed."""
    response = protos_pb2.Response(status=200)
    action = protos_pb2.ChaincodeAction(
        results=raw,
        response=response,
        chaincode_id=protos_pb2.ChaincodeID(name="market", version="1.0"),
    )
    return _validate(_with_action(action.SerializeToString()), trusting=True)


def _attempt_action(raw: bytes) -> str:
    return _validate(_with_action(raw), trusting=True)


def _with_action(action_raw: bytes) -> bytes:
    here = samples.world()
    proposal = decode_proposal(samples.proposals()[0].proposal_raw)
    bound_to = proposal_hash(
        proposal.header.channel_header_raw,
        proposal.header.signature_header_raw,
        strip_transient(proposal.payload_raw),
    )
    response_payload = protos_pb2.ProposalResponsePayload(
        proposal_hash=bound_to, extension=action_raw
    ).SerializeToString()
    endorsement = Endorsement(here.client.serialized, b"taken for good")
    payload = prepared_transaction_payload(proposal, response_payload, [endorsement])
    return encode_envelope(payload, b"taken for good")


def _action_seeds() -> list[bytes]:
    response = protos_pb2.Response(status=200, payload=b"done")
    return [
        protos_pb2.ChaincodeAction(
            results=encode_read_write_set(results),
            response=response,
            events=protos_pb2.ChaincodeEvent(
                chaincode_id="market", tx_id="ab" * 32, event_name="Happened"
            ).SerializeToString(),
            chaincode_id=protos_pb2.ChaincodeID(name="market", version="1.0"),
        ).SerializeToString()
        for results in samples.read_write_sets()
    ]


def _signing_payloads() -> Attempt:
    """Payload bytes with the client's real signature: the endorsements stand or fall."""
    here = samples.world()
    return lambda raw: _validate(here.sign(raw), trusting=False)


def _payload_seeds() -> list[bytes]:
    payloads = [common_pb2.Envelope.FromString(raw).payload for raw in samples.transactions()]
    here = samples.world()
    first = here.validate(here.sign(payloads[0]))
    assert first.codes == (ValidationCode.VALID,), "the seeds are good transactions"
    return payloads


TARGETS = (
    FuzzTarget(
        "validate-results",
        "a read-write set that everybody endorsed, to the database batch",
        lambda: [encode_read_write_set(one) for one in samples.read_write_sets()],
        lambda: _attempt_results,
        TRANSACTION_BYTES_MAX,
        allowed=(),
    ),
    FuzzTarget(
        "validate-action",
        "an endorsed action with results and event, to the database batch",
        _action_seeds,
        lambda: _attempt_action,
        TRANSACTION_BYTES_MAX,
        allowed=(),
    ),
    FuzzTarget(
        "validate-payload",
        "a payload its client signed, with real signatures and policies",
        _payload_seeds,
        _signing_payloads,
        TRANSACTION_BYTES_MAX,
        allowed=(),
    ),
)
