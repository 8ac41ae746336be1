"""Envelopes and the transactions in them: decoded once, raw bytes kept beside the parsed view.

A committed write sits nine messages deep. This module opens them in order:
Envelope > Payload > Header and Transaction > ChaincodeActionPayload > ProposalResponsePayload >
ChaincodeAction > TxReadWriteSet > KVRWSet (the last four in `codec_action` and `codec_rwset`).
"""

from collections.abc import Sequence

from ledger.errors import InvalidMessage, Reason, TransactionInvalid
from ledger.model.codec_action import (
    decode_endorsements,
    decode_proposal_response_payload,
    wire_endorsements,
)
from ledger.model.codec_header import (
    decode_header,
    encode_channel_header,
    encode_signature_header,
    require_signer,
)
from ledger.model.codec_parsing import length_delimited, parse_message, parse_part
from ledger.model.codec_proposal import strip_transient
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.transaction import (
    Endorsement,
    EndorserTransaction,
    Envelope,
    Header,
    SignedProposal,
)
from ledger.model.transaction_limits import ARGUMENTS_MAX, ENDORSEMENTS_MAX, require_at_most
from ledger.wire import common_pb2, protos_pb2

_INVALID_ENDORSER_TRANSACTION = ValidationCode.INVALID_ENDORSER_TRANSACTION
_KNOWN_TYPES = frozenset(HeaderType)
_PAYLOAD_HEADER_FIELD = 1
_PAYLOAD_DATA_FIELD = 2


# -- decoding -------------------------------------------------------------------------------------


def decode_envelope(raw: bytes) -> Envelope:
    """An entry of a block; signatures, hashes and ids are not checked here.

    Raises TransactionInvalid with the code to record: NIL_ENVELOPE, BAD_PAYLOAD,
    BAD_COMMON_HEADER, BAD_CHANNEL_HEADER, BAD_HEADER_EXTENSION, UNKNOWN_TX_TYPE,
    UNSUPPORTED_TX_PAYLOAD, INVALID_ENDORSER_TRANSACTION, NIL_TXACTION, BAD_RESPONSE_PAYLOAD,
    BAD_RWSET, or INVALID_OTHER_REASON for what is no envelope. A CONFIG envelope may lack its
    creator, as the genesis block's does.
    """
    envelope = _open(raw)
    header_type = envelope.header.channel.type
    if header_type == HeaderType.CONFIG:
        return envelope
    require_signer(envelope.header)
    if header_type == HeaderType.ENDORSER_TRANSACTION:
        return Envelope(
            raw=raw,
            payload_raw=envelope.payload_raw,
            signature=envelope.signature,
            header=envelope.header,
            data_raw=envelope.data_raw,
            transaction=_endorser_transaction(envelope.data_raw, envelope.header),
        )
    if header_type in _KNOWN_TYPES:
        raise TransactionInvalid(
            ValidationCode.UNSUPPORTED_TX_PAYLOAD,
            f"{HeaderType(header_type).name} does not belong in a block",
        )
    raise TransactionInvalid(ValidationCode.UNKNOWN_TX_TYPE, f"unknown type {header_type}")


def decode_entry(raw: bytes) -> Envelope | TransactionInvalid:
    """The envelope, or why it is none: a block keeps such an entry, too."""
    try:
        return decode_envelope(raw)
    except TransactionInvalid as error:
        return error


def decode_prepared_transaction(payload_raw: bytes) -> Envelope:
    """An endorsed transaction that its client has yet to sign; see `decode_envelope`."""
    return decode_envelope(encode_envelope(payload_raw, signature=b""))


def decode_request(raw: bytes) -> Envelope:
    """A signed request to a service (SeekInfo, CONFIG_UPDATE), its data left encoded.

    Official clients send no nonce with a SeekInfo, so none is asked for. Raises InvalidMessage
    MALFORMED.
    """
    try:
        return _open(raw)
    except TransactionInvalid as error:
        raise InvalidMessage(Reason.MALFORMED, error.detail) from error


def carries_config(entries: Sequence[bytes]) -> bool:
    """Whether a block of these entries is a configuration block: one CONFIG envelope, alone."""
    if len(entries) != 1:
        return False
    try:
        return _open(entries[0]).is_config
    except TransactionInvalid:
        return False


def require_well_formed_entry(raw: bytes) -> None:
    """Refuse an envelope that real Fabric peers would refuse a whole block for.

    An entry has payload and signature and is in the one encoding protobuf gives it, so that no
    two byte strings mean the same transaction. Configuration blocks are exempt. Raises
    InvalidMessage MALFORMED.
    """
    wire = parse_message(common_pb2.Envelope, raw)
    if not wire.payload or not wire.signature:
        raise InvalidMessage(Reason.MALFORMED, "the envelope lacks payload or signature")
    if encode_envelope(wire.payload, wire.signature) != raw:
        raise InvalidMessage(Reason.MALFORMED, "the envelope is not in its one encoding")


def _open(raw: bytes) -> Envelope:
    """Envelope, payload and headers of any type; creator and nonce may be missing."""
    if not raw:
        raise TransactionInvalid(ValidationCode.NIL_ENVELOPE, "the entry is empty")
    wire = parse_part(common_pb2.Envelope, raw, ValidationCode.INVALID_OTHER_REASON)
    payload_raw = wire.payload
    payload = parse_part(common_pb2.Payload, payload_raw, ValidationCode.BAD_PAYLOAD)
    if not payload.HasField("header"):
        raise TransactionInvalid(ValidationCode.BAD_COMMON_HEADER, "the payload has no header")
    header = payload.header
    return Envelope(
        raw=raw,
        payload_raw=payload_raw,
        signature=wire.signature,
        header=decode_header(header.channel_header, header.signature_header),
        data_raw=payload.data,
    )


def _endorser_transaction(data_raw: bytes, header: Header) -> EndorserTransaction:
    transaction = parse_part(protos_pb2.Transaction, data_raw, _INVALID_ENDORSER_TRANSACTION)
    if len(transaction.actions) != 1:
        raise TransactionInvalid(
            _INVALID_ENDORSER_TRANSACTION,
            f"{len(transaction.actions)} actions instead of one",
        )
    action = transaction.actions[0]
    action_header_raw = action.header
    if action_header_raw != header.signature_header_raw:
        raise TransactionInvalid(
            _INVALID_ENDORSER_TRANSACTION, "the action repeats another signature header"
        )
    payload = parse_part(
        protos_pb2.ChaincodeActionPayload, action.payload, _INVALID_ENDORSER_TRANSACTION
    )
    if not payload.HasField("action"):
        raise TransactionInvalid(ValidationCode.NIL_TXACTION, "the action is empty")
    endorsed = payload.action
    require_at_most(
        len(endorsed.endorsements),
        ENDORSEMENTS_MAX,
        "endorsements",
        _INVALID_ENDORSER_TRANSACTION,
    )
    proposal_payload_raw = payload.chaincode_proposal_payload
    spec = _invocation(proposal_payload_raw)
    response_payload_raw = endorsed.proposal_response_payload
    proposal_hash, chaincode_action = decode_proposal_response_payload(response_payload_raw)
    return EndorserTransaction(
        header_raw=action_header_raw,
        proposal_payload_raw=proposal_payload_raw,
        proposal_response_payload_raw=response_payload_raw,
        proposal_hash=proposal_hash,
        action=chaincode_action,
        endorsements=decode_endorsements(endorsed.endorsements),
        chaincode_name=spec.chaincode_id.name,
        args=tuple(spec.input.args),
    )


def _invocation(proposal_payload_raw: bytes) -> protos_pb2.ChaincodeSpec:
    payload = parse_part(
        protos_pb2.ChaincodeProposalPayload, proposal_payload_raw, _INVALID_ENDORSER_TRANSACTION
    )
    spec = parse_part(
        protos_pb2.ChaincodeInvocationSpec, payload.input, _INVALID_ENDORSER_TRANSACTION
    ).chaincode_spec
    require_at_most(
        len(spec.input.args), ARGUMENTS_MAX, "arguments", _INVALID_ENDORSER_TRANSACTION
    )
    return spec


# -- encoding -------------------------------------------------------------------------------------


def encode_envelope(payload_raw: bytes, signature: bytes) -> bytes:
    """Envelope bytes: a payload and its creator's signature over it."""
    return common_pb2.Envelope(payload=payload_raw, signature=signature).SerializeToString()


def prepared_transaction_payload(
    proposal: SignedProposal,
    proposal_response_payload_raw: bytes,
    endorsements: Sequence[Endorsement],
) -> bytes:
    """The payload a client signs after endorsement: its own header, the agreed result.

    `endorsements` holds one entry for each distinct endorser.
    """
    payload = protos_pb2.ChaincodeActionPayload(
        chaincode_proposal_payload=strip_transient(proposal.payload_raw),
        action=protos_pb2.ChaincodeEndorsedAction(
            proposal_response_payload=proposal_response_payload_raw,
            endorsements=wire_endorsements(endorsements),
        ),
    )
    action = protos_pb2.TransactionAction(
        header=proposal.header.signature_header_raw, payload=payload.SerializeToString()
    )
    data = protos_pb2.Transaction(actions=[action]).SerializeToString()
    # The header stays byte for byte as the client sent it.
    return length_delimited(_PAYLOAD_HEADER_FIELD, proposal.header_raw) + length_delimited(
        _PAYLOAD_DATA_FIELD, data
    )


def encode_request_payload(
    *,
    header_type: HeaderType,
    channel_id: str,
    creator: bytes,
    nonce: bytes,
    timestamp_ns: int,
    data: bytes,
    tx_id: str = "",
    tls_cert_hash: bytes = b"",
) -> bytes:
    """Payload bytes of a request or configuration envelope, for its creator to sign."""
    header = common_pb2.Header(
        channel_header=encode_channel_header(
            header_type=header_type,
            channel_id=channel_id,
            timestamp_ns=timestamp_ns,
            tx_id=tx_id,
            tls_cert_hash=tls_cert_hash,
        ),
        signature_header=encode_signature_header(creator, nonce),
    )
    return common_pb2.Payload(header=header, data=data).SerializeToString()
