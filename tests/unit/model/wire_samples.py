"""An endorser transaction in parts, so that a test can break one of them."""

from dataclasses import dataclass, field

from ledger.model.codec_header import encode_identity
from ledger.model.codes import HeaderType
from ledger.wire import common_pb2, protos_pb2, rwset_pb2

CREATOR = encode_identity("CoopMSP", b"-----BEGIN CERTIFICATE-----")
GARBAGE = b"\xff\xff\xff"
"""Parses as no message: a varint without end."""


def _channel_header() -> common_pb2.ChannelHeader:
    return common_pb2.ChannelHeader(
        type=HeaderType.ENDORSER_TRANSACTION,
        channel_id="energy",
        tx_id="ab" * 32,
        extension=protos_pb2.ChaincodeHeaderExtension(
            chaincode_id=protos_pb2.ChaincodeID(name="market")
        ).SerializeToString(),
    )


def _invocation() -> protos_pb2.ChaincodeInvocationSpec:
    return protos_pb2.ChaincodeInvocationSpec(
        chaincode_spec=protos_pb2.ChaincodeSpec(
            chaincode_id=protos_pb2.ChaincodeID(name="market"),
            input=protos_pb2.ChaincodeInput(args=[b"place_offer", b"1000"]),
        )
    )


@dataclass
class TransactionParts:
    """Wire messages of one transaction; `*_raw` overrides the encoding of a part."""

    channel: common_pb2.ChannelHeader = field(default_factory=_channel_header)
    channel_raw: bytes | None = None
    signer_raw: bytes = common_pb2.SignatureHeader(
        creator=CREATOR, nonce=b"n" * 24
    ).SerializeToString()
    with_header: bool = True
    action_header_raw: bytes | None = None
    invocation_raw: bytes = _invocation().SerializeToString()
    proposal_payload_raw: bytes | None = None
    results_raw: bytes = rwset_pb2.TxReadWriteSet().SerializeToString()
    event_raw: bytes = b""
    chaincode_action_raw: bytes | None = None
    response_payload_raw: bytes | None = None
    with_endorsed_action: bool = True
    action_payload_raw: bytes | None = None
    action_count: int = 1
    data_raw: bytes | None = None
    payload_raw: bytes | None = None

    def proposal_payload(self) -> bytes:
        if self.proposal_payload_raw is not None:
            return self.proposal_payload_raw
        return protos_pb2.ChaincodeProposalPayload(input=self.invocation_raw).SerializeToString()

    def response_payload(self) -> bytes:
        if self.response_payload_raw is not None:
            return self.response_payload_raw
        action = self.chaincode_action_raw
        if action is None:
            action = protos_pb2.ChaincodeAction(
                results=self.results_raw,
                events=self.event_raw,
                response=protos_pb2.Response(status=200, payload=b"done"),
                chaincode_id=protos_pb2.ChaincodeID(name="market", version="1.0"),
            ).SerializeToString()
        return protos_pb2.ProposalResponsePayload(
            proposal_hash=b"h" * 32, extension=action
        ).SerializeToString()

    def action_payload(self) -> bytes:
        if self.action_payload_raw is not None:
            return self.action_payload_raw
        payload = protos_pb2.ChaincodeActionPayload(
            chaincode_proposal_payload=self.proposal_payload()
        )
        if self.with_endorsed_action:
            payload.action.proposal_response_payload = self.response_payload()
            payload.action.endorsements.add(endorser=CREATOR, signature=b"sig")
        return payload.SerializeToString()

    def data(self) -> bytes:
        if self.data_raw is not None:
            return self.data_raw
        header = self.signer_raw if self.action_header_raw is None else self.action_header_raw
        action = protos_pb2.TransactionAction(header=header, payload=self.action_payload())
        return protos_pb2.Transaction(actions=[action] * self.action_count).SerializeToString()

    def payload(self) -> bytes:
        if self.payload_raw is not None:
            return self.payload_raw
        payload = common_pb2.Payload(data=self.data())
        if self.with_header:
            payload.header.channel_header = (
                self.channel.SerializeToString() if self.channel_raw is None else self.channel_raw
            )
            payload.header.signature_header = self.signer_raw
        return payload.SerializeToString()

    def envelope(self) -> bytes:
        return common_pb2.Envelope(payload=self.payload(), signature=b"sig").SerializeToString()
