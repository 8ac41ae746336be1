"""What a Fabric peer checks of an entry before it looks at policies and state."""

import hashlib

from fabric_protos.common import common_pb2
from fabric_protos.peer import (
    chaincode_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from google.protobuf.message import DecodeError

from tests.follower.refusal import Refused, require

Code = transaction_pb2.TxValidationCode
TRANSACTIONS_FILTER = 2
DECIDED_HERE = {
    Code.BAD_PAYLOAD,
    Code.BAD_COMMON_HEADER,
    Code.BAD_CREATOR_SIGNATURE,
    Code.BAD_PROPOSAL_TXID,
    Code.INVALID_ENDORSER_TRANSACTION,
    Code.TARGET_CHAIN_NOT_FOUND,
}


class Invalid(Exception):  # noqa: N818 - a verdict, not a mistake
    """The transaction stands in its block with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(Code.Name(code))
        self.code = code


def opened(entry: bytes) -> tuple[common_pb2.Payload, common_pb2.ChannelHeader]:
    """An entry's payload and channel header."""
    try:
        envelope = common_pb2.Envelope.FromString(entry)
        payload = common_pb2.Payload.FromString(envelope.payload)
        header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    except DecodeError as error:
        raise Refused("an entry that does not parse") from error
    return payload, header


def check_codes(block: common_pb2.Block, config) -> None:
    """The codes in slot 2 agree with ours, as far as an entry by itself decides them."""
    codes = block.metadata.metadata[TRANSACTIONS_FILTER]
    require(len(codes) == len(block.data.data), "one code for each entry")
    for index, entry in enumerate(block.data.data):
        try:
            _check_entry(entry, config)
        except Invalid as verdict:
            same = codes[index] == verdict.code
            require(same, f"transaction {index}: {codes[index]} is recorded, we say {verdict}")
        else:
            require(codes[index] not in DECIDED_HERE, f"transaction {index} is better than said")


def _check_entry(entry: bytes, config) -> None:
    envelope = common_pb2.Envelope.FromString(entry)
    try:
        payload, header = opened(entry)
        signer = common_pb2.SignatureHeader.FromString(payload.header.signature_header)
    except (Refused, DecodeError) as error:
        raise Invalid(Code.BAD_PAYLOAD) from error
    if header.epoch or not signer.nonce or not signer.creator:
        raise Invalid(Code.BAD_COMMON_HEADER)
    try:
        config.memberships.check_signed(signer.creator, envelope.payload, envelope.signature)
    except Refused as error:
        raise Invalid(Code.BAD_CREATOR_SIGNATURE) from error
    if header.type == common_pb2.ENDORSER_TRANSACTION:
        expected = hashlib.sha256(signer.nonce + signer.creator).hexdigest()
        if header.tx_id != expected:
            raise Invalid(Code.BAD_PROPOSAL_TXID)
        _check_action(payload)
    if header.channel_id != config.channel_id:
        raise Invalid(Code.TARGET_CHAIN_NOT_FOUND)


def _check_action(payload: common_pb2.Payload) -> None:
    """One action, whose endorsed result belongs to this very proposal."""
    transaction = transaction_pb2.Transaction.FromString(payload.data)
    if len(transaction.actions) != 1:
        raise Invalid(Code.INVALID_ENDORSER_TRANSACTION)
    [action] = transaction.actions
    content = transaction_pb2.ChaincodeActionPayload.FromString(action.payload)
    proposal = proposal_pb2.ChaincodeProposalPayload.FromString(content.chaincode_proposal_payload)
    bare = proposal_pb2.ChaincodeProposalPayload(input=proposal.input).SerializeToString()
    hashed = hashlib.sha256(payload.header.channel_header + action.header + bare).digest()
    result = proposal_response_pb2.ProposalResponsePayload.FromString(
        content.action.proposal_response_payload
    )
    if hashed != result.proposal_hash:
        raise Invalid(Code.INVALID_ENDORSER_TRANSACTION)


def chaincode_of(entry: bytes) -> str:
    """Which chaincode a transaction invokes; empty for a configuration."""
    payload, header = opened(entry)
    if header.type != common_pb2.ENDORSER_TRANSACTION:
        return ""
    transaction = transaction_pb2.Transaction.FromString(payload.data)
    content = transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
    proposal = proposal_pb2.ChaincodeProposalPayload.FromString(content.chaincode_proposal_payload)
    spec = chaincode_pb2.ChaincodeInvocationSpec.FromString(proposal.input)
    return spec.chaincode_spec.chaincode_id.name
