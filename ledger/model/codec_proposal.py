"""Proposals: what a client asks endorsers to simulate."""

from collections.abc import Mapping, Sequence

from ledger.errors import InvalidMessage, Reason, TransactionInvalid
from ledger.model.codec_header import (
    decode_header,
    encode_channel_header,
    encode_signature_header,
    require_signer,
)
from ledger.model.codec_parsing import parse_message
from ledger.model.codes import HeaderType
from ledger.model.transaction import Header, SignedProposal
from ledger.model.transaction_limits import ARGUMENTS_MAX, TRANSIENT_ENTRIES_MAX
from ledger.wire import common_pb2, protos_pb2


def decode_signed_proposal(raw: bytes) -> SignedProposal:
    """A client's proposal with unchecked signature and transaction id.

    Raises InvalidMessage MALFORMED if any part does not parse or is missing, OVERSIZED for too
    many arguments.
    """
    signed = parse_message(protos_pb2.SignedProposal, raw)
    return _signed_proposal(signed.proposal_bytes, signed.signature, raw)


def decode_proposal(proposal_raw: bytes, signature: bytes = b"") -> SignedProposal:
    """Like `decode_signed_proposal`, for a proposal whose signature came apart or is still due."""
    return _signed_proposal(
        proposal_raw, signature, encode_signed_proposal(proposal_raw, signature)
    )


def _signed_proposal(proposal_raw: bytes, signature: bytes, raw: bytes) -> SignedProposal:
    proposal = parse_message(protos_pb2.Proposal, proposal_raw)
    header_raw, payload_raw = proposal.header, proposal.payload
    header = _proposal_header(header_raw)
    payload = parse_message(protos_pb2.ChaincodeProposalPayload, payload_raw)
    spec = parse_message(protos_pb2.ChaincodeInvocationSpec, payload.input).chaincode_spec
    if not spec.HasField("chaincode_id") or not spec.HasField("input"):
        raise InvalidMessage(Reason.MALFORMED, "the proposal lacks a chaincode or its input")
    arguments, transient = len(spec.input.args), len(payload.TransientMap)
    if arguments > ARGUMENTS_MAX or transient > TRANSIENT_ENTRIES_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED,
            f"{arguments} arguments and {transient} transient entries,"
            f" at most {ARGUMENTS_MAX} and {TRANSIENT_ENTRIES_MAX}",
        )
    if spec.chaincode_id.name != header.channel.chaincode_name:
        raise InvalidMessage(
            Reason.MALFORMED, "header and payload of the proposal name different chaincodes"
        )
    return SignedProposal(
        proposal_raw=proposal_raw,
        signature=signature,
        header=header,
        header_raw=header_raw,
        payload_raw=payload_raw,
        chaincode_name=spec.chaincode_id.name,
        args=tuple(spec.input.args),
        is_init=spec.input.is_init,
        transient=dict(payload.TransientMap),
        raw=raw,
    )


def _proposal_header(header_raw: bytes) -> Header:
    wire = parse_message(common_pb2.Header, header_raw)
    try:
        header = decode_header(wire.channel_header, wire.signature_header)
        require_signer(header)
    except TransactionInvalid as error:
        raise InvalidMessage(Reason.MALFORMED, error.detail) from error
    if header.channel.type != HeaderType.ENDORSER_TRANSACTION:
        raise InvalidMessage(
            Reason.MALFORMED, f"header type {header.channel.type} is not a proposal's"
        )
    if not header.channel.chaincode_name:
        raise InvalidMessage(Reason.MALFORMED, "the proposal names no chaincode")
    return header


def strip_transient(proposal_payload_raw: bytes) -> bytes:
    """The ChaincodeProposalPayload with its input only, as hashed and as put on the ledger.

    This is one of the few messages that are encoded again by rule. Raises InvalidMessage
    MALFORMED.
    """
    payload = parse_message(protos_pb2.ChaincodeProposalPayload, proposal_payload_raw)
    return protos_pb2.ChaincodeProposalPayload(input=payload.input).SerializeToString()


def encode_proposal(
    *,
    channel_id: str,
    chaincode_name: str,
    args: Sequence[bytes],
    creator: bytes,
    nonce: bytes,
    tx_id: str,
    timestamp_ns: int,
    transient: Mapping[str, bytes] | None = None,
    is_init: bool = False,
) -> bytes:
    """Proposal bytes for the client to sign; `ledger.crypto.proposal` computes `tx_id`."""
    chaincode_id = protos_pb2.ChaincodeID(name=chaincode_name)
    extension = protos_pb2.ChaincodeHeaderExtension(chaincode_id=chaincode_id)
    header = common_pb2.Header(
        channel_header=encode_channel_header(
            header_type=HeaderType.ENDORSER_TRANSACTION,
            channel_id=channel_id,
            timestamp_ns=timestamp_ns,
            tx_id=tx_id,
            extension=extension.SerializeToString(),
        ),
        signature_header=encode_signature_header(creator, nonce),
    )
    spec = protos_pb2.ChaincodeSpec(
        chaincode_id=chaincode_id,
        input=protos_pb2.ChaincodeInput(args=args, is_init=is_init),
    )
    payload = protos_pb2.ChaincodeProposalPayload(
        input=protos_pb2.ChaincodeInvocationSpec(chaincode_spec=spec).SerializeToString(),
        TransientMap=transient or {},
    )
    return protos_pb2.Proposal(
        header=header.SerializeToString(),
        payload=payload.SerializeToString(deterministic=True),
    ).SerializeToString()


def encode_signed_proposal(proposal_raw: bytes, signature: bytes) -> bytes:
    """SignedProposal bytes."""
    return protos_pb2.SignedProposal(
        proposal_bytes=proposal_raw, signature=signature
    ).SerializeToString()
