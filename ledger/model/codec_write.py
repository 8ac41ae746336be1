"""One write of one committed transaction, read without opening the rest of it.

A key's history may be ten thousand transactions long, and their blocks were validated long ago:
this opens the nine messages on the way to the write and none beside it.
"""

from typing import NamedTuple

from google.protobuf.message import DecodeError

from ledger.errors import TransactionInvalid
from ledger.model.codec_parsing import NANOSECONDS_PER_SECOND
from ledger.model.codes import ValidationCode
from ledger.wire import common_pb2, kvrwset_pb2, protos_pb2, rwset_pb2


class CommittedWrite(NamedTuple):
    """What a transaction wrote to a key, and which one it was; `timestamp_ns` is its client's."""

    tx_id: str
    timestamp_ns: int
    value: bytes
    is_delete: bool


def decode_write(raw: bytes, namespace: str, key: str) -> CommittedWrite | None:
    """What the transaction in a block's entry wrote to a key; None if it did not.

    Raises TransactionInvalid INVALID_OTHER_REASON for what is no endorsed transaction.
    """
    try:
        return _decode_write(raw, namespace, key)
    except (DecodeError, IndexError) as error:
        raise TransactionInvalid(
            ValidationCode.INVALID_OTHER_REASON, "the entry is no endorsed transaction"
        ) from error


def _decode_write(raw: bytes, namespace: str, key: str) -> CommittedWrite | None:
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(raw).payload)
    action = protos_pb2.Transaction.FromString(payload.data).actions[0]
    endorsed = protos_pb2.ChaincodeActionPayload.FromString(action.payload).action
    response = protos_pb2.ProposalResponsePayload.FromString(endorsed.proposal_response_payload)
    results = protos_pb2.ChaincodeAction.FromString(response.extension).results
    for rwset in rwset_pb2.TxReadWriteSet.FromString(results).ns_rwset:
        if rwset.namespace != namespace:
            continue
        for write in kvrwset_pb2.KVRWSet.FromString(rwset.rwset).writes:
            if write.key == key:
                channel = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
                seconds, nanos = channel.timestamp.seconds, channel.timestamp.nanos
                return CommittedWrite(
                    tx_id=channel.tx_id,
                    timestamp_ns=seconds * NANOSECONDS_PER_SECOND + nanos,
                    value=write.value,
                    is_delete=write.is_delete or not write.value,
                )
    return None
