"""Requests to wire messages and answers back: Fabric's shim messages, and nothing else."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from chaincode.shim.errors import ProtocolError
from chaincode.shim.peer_features import PeerFeatures
from chaincode.shim.requests import (
    GetHistory,
    GetMetadata,
    GetPrivateDataHash,
    GetQueryResult,
    GetRange,
    GetState,
    GetStates,
    InvokeChaincode,
    KeyModification,
    KeyValue,
    Page,
    PutBatch,
    PutOne,
    QueryClose,
    QueryNext,
    Request,
    Response,
    Write,
)
from chaincode.shim.transaction_facts import ProposalFacts
from ledger.wire import common_pb2, protos_pb2, queryresult_pb2
from ledger.wire.protos_pb2 import ChaincodeMessage, WriteRecord

NANOSECONDS = 1_000_000_000

EncodedRequest = tuple[int, bytes]
"""(message type, payload)"""


# -- requests -------------------------------------------------------------------------------------


def encode_request(request: Request[Any]) -> EncodedRequest:
    """The message type and payload of a request."""
    return _ENCODERS[type(request)](request)


def _get_states(request: GetStates) -> EncodedRequest:
    wire = protos_pb2.GetStateMultiple(keys=request.keys, collection=request.collection)
    return ChaincodeMessage.GET_STATE_MULTIPLE, wire.SerializeToString()


def _get_range(request: GetRange) -> EncodedRequest:
    wire = protos_pb2.GetStateByRange(
        startKey=request.start_key,
        endKey=request.end_key,
        collection=request.collection,
        metadata=_paging(request),
    )
    return ChaincodeMessage.GET_STATE_BY_RANGE, wire.SerializeToString()


def _get_query_result(request: GetQueryResult) -> EncodedRequest:
    wire = protos_pb2.GetQueryResult(
        query=request.query, collection=request.collection, metadata=_paging(request)
    )
    return ChaincodeMessage.GET_QUERY_RESULT, wire.SerializeToString()


def _paging(request: GetRange | GetQueryResult) -> bytes:
    if not request.page_size:
        return b""
    return protos_pb2.QueryMetadata(
        pageSize=request.page_size, bookmark=request.bookmark
    ).SerializeToString()


def _invoke(request: InvokeChaincode) -> EncodedRequest:
    spec = protos_pb2.ChaincodeSpec(
        chaincode_id=protos_pb2.ChaincodeID(name=request.name),
        input=protos_pb2.ChaincodeInput(args=request.args),
    )
    return ChaincodeMessage.INVOKE_CHAINCODE, spec.SerializeToString()


def _put_one(request: PutOne) -> EncodedRequest:
    write = request.write
    key, collection = write.key, write.collection
    if write.metadata_name:
        metadata = protos_pb2.PutStateMetadata(
            key=key, collection=collection, metadata=_metadata(write)
        )
        return ChaincodeMessage.PUT_STATE_METADATA, metadata.SerializeToString()
    if write.is_purge:
        purge = protos_pb2.PurgePrivateState(key=key, collection=collection)
        return ChaincodeMessage.PURGE_PRIVATE_DATA, purge.SerializeToString()
    if write.value is None:
        delete = protos_pb2.DelState(key=key, collection=collection)
        return ChaincodeMessage.DEL_STATE, delete.SerializeToString()
    put = protos_pb2.PutState(key=key, value=write.value, collection=collection)
    return ChaincodeMessage.PUT_STATE, put.SerializeToString()


def _put_batch(request: PutBatch) -> EncodedRequest:
    batch = protos_pb2.WriteBatchState(rec=[_record(write) for write in request.writes])
    return ChaincodeMessage.WRITE_BATCH_STATE, batch.SerializeToString()


def _record(write: Write) -> WriteRecord:
    record = WriteRecord(key=write.key, collection=write.collection)
    if write.metadata_name:
        record.type = WriteRecord.PUT_STATE_METADATA
        record.metadata.CopyFrom(_metadata(write))
    elif write.is_purge:
        record.type = WriteRecord.PURGE_PRIVATE_DATA
    elif write.value is None:
        record.type = WriteRecord.DEL_STATE
    else:
        record.type = WriteRecord.PUT_STATE
        record.value = write.value
    return record


def _metadata(write: Write) -> protos_pb2.StateMetadata:
    return protos_pb2.StateMetadata(metakey=write.metadata_name, value=write.value or b"")


_ENCODERS: dict[type, Callable[[Any], EncodedRequest]] = {
    GetState: lambda request: (
        ChaincodeMessage.GET_STATE,
        protos_pb2.GetState(key=request.key, collection=request.collection).SerializeToString(),
    ),
    GetPrivateDataHash: lambda request: (
        ChaincodeMessage.GET_PRIVATE_DATA_HASH,
        protos_pb2.GetState(key=request.key, collection=request.collection).SerializeToString(),
    ),
    GetStates: _get_states,
    GetRange: _get_range,
    GetQueryResult: _get_query_result,
    GetHistory: lambda request: (
        ChaincodeMessage.GET_HISTORY_FOR_KEY,
        protos_pb2.GetHistoryForKey(key=request.key).SerializeToString(),
    ),
    QueryNext: lambda request: (
        ChaincodeMessage.QUERY_STATE_NEXT,
        protos_pb2.QueryStateNext(id=request.query_id).SerializeToString(),
    ),
    QueryClose: lambda request: (
        ChaincodeMessage.QUERY_STATE_CLOSE,
        protos_pb2.QueryStateClose(id=request.query_id).SerializeToString(),
    ),
    GetMetadata: lambda request: (
        ChaincodeMessage.GET_STATE_METADATA,
        protos_pb2.GetStateMetadata(
            key=request.key, collection=request.collection
        ).SerializeToString(),
    ),
    InvokeChaincode: _invoke,
    PutOne: _put_one,
    PutBatch: _put_batch,
}


# -- answers --------------------------------------------------------------------------------------


def decode_answer(request: Request[Any], payload: bytes) -> Any:
    """The value a request's `await` gives; ProtocolError if the payload does not parse."""
    try:
        decode = _DECODERS.get(type(request))
        return None if decode is None else decode(request, payload)
    except DecodeError as error:
        raise ProtocolError(f"the answer to {type(request).__name__} does not parse") from error


def _values(request: GetStates, payload: bytes) -> list[bytes]:
    values = list(protos_pb2.GetStateMultipleResult.FromString(payload).values)
    if len(values) != len(request.keys):
        raise ProtocolError(f"asked for {len(request.keys)} keys, got {len(values)} values")
    return values


def _rows(_request: Request[Any], payload: bytes) -> Page:
    wire = protos_pb2.QueryResponse.FromString(payload)
    bookmark = ""
    if wire.metadata:
        bookmark = protos_pb2.QueryResponseMetadata.FromString(wire.metadata).bookmark
    rows = tuple(_key_value(row.resultBytes) for row in wire.results)
    return Page(rows, wire.has_more, wire.id, bookmark)


def _modifications(_request: Request[Any], payload: bytes) -> Page:
    wire = protos_pb2.QueryResponse.FromString(payload)
    rows = tuple(_modification(row.resultBytes) for row in wire.results)
    return Page(rows, wire.has_more, wire.id)


def _next_rows(request: QueryNext, payload: bytes) -> Page:
    return (_modifications if request.of_history else _rows)(request, payload)


def _key_value(raw: bytes) -> KeyValue:
    row = queryresult_pb2.KV.FromString(raw)
    return KeyValue(row.key, row.value)


def _modification(raw: bytes) -> KeyModification:
    row = queryresult_pb2.KeyModification.FromString(raw)
    timestamp_ns = row.timestamp.seconds * NANOSECONDS + row.timestamp.nanos
    return KeyModification(row.tx_id, row.value, timestamp_ns, row.is_delete)


def _metadata_entries(_request: Request[Any], payload: bytes) -> dict[str, bytes]:
    wire = protos_pb2.StateMetadataResult.FromString(payload)
    return {entry.metakey: entry.value for entry in wire.entries}


def _called(_request: Request[Any], payload: bytes) -> Response:
    message = ChaincodeMessage.FromString(payload)
    if message.type != ChaincodeMessage.COMPLETED:
        text = message.payload.decode("utf-8", "replace")
        return Response(500, text or "the called chaincode failed", b"")
    wire = protos_pb2.Response.FromString(message.payload)
    return Response(wire.status, wire.message, wire.payload)


_DECODERS: dict[type, Callable[[Any, bytes], Any]] = {
    GetState: lambda _request, payload: payload,
    GetPrivateDataHash: lambda _request, payload: payload,
    GetStates: _values,
    GetRange: _rows,
    GetQueryResult: _rows,
    GetHistory: _modifications,
    QueryNext: _next_rows,
    GetMetadata: _metadata_entries,
    InvokeChaincode: _called,
}


# -- the session's own messages -------------------------------------------------------------------


def decode_features(payload: bytes) -> PeerFeatures:
    """What READY offers; an empty payload (before Fabric 3.1) offers nothing."""
    wire = protos_pb2.ChaincodeAdditionalParams.FromString(payload)
    return PeerFeatures(
        write_batch_max=wire.max_size_write_batch if wire.use_write_batch else 0,
        get_multiple_max=wire.max_size_get_multiple_keys if wire.use_get_multiple_keys else 0,
    )


def decode_proposal_facts(signed: protos_pb2.SignedProposal) -> ProposalFacts:
    """What a contract may know of the client's proposal."""
    proposal = protos_pb2.Proposal.FromString(signed.proposal_bytes)
    header = common_pb2.Header.FromString(proposal.header)
    channel_header = common_pb2.ChannelHeader.FromString(header.channel_header)
    signature_header = common_pb2.SignatureHeader.FromString(header.signature_header)
    payload = protos_pb2.ChaincodeProposalPayload.FromString(proposal.payload)
    timestamp = channel_header.timestamp
    return ProposalFacts(
        creator=signature_header.creator,
        timestamp_ns=timestamp.seconds * NANOSECONDS + timestamp.nanos,
        transient=dict(payload.TransientMap),
        signed_proposal_raw=signed.SerializeToString(),
        nonce=signature_header.nonce,
        epoch=channel_header.epoch,
    )


def encode_completed(
    *, channel_id: str, tx_id: str, response: Response, event: tuple[str, bytes] | None
) -> bytes:
    """COMPLETED with the response and the event, if any.

    What the message quotes of a client may be no text of the wire: it is shown escaped then.
    """
    text = response.message.encode("utf-8", "backslashreplace").decode()
    wire = protos_pb2.Response(status=response.status, message=text, payload=response.payload)
    message = ChaincodeMessage(
        type=ChaincodeMessage.COMPLETED,
        payload=wire.SerializeToString(),
        txid=tx_id,
        channel_id=channel_id,
    )
    if event is not None:
        message.chaincode_event.tx_id = tx_id
        message.chaincode_event.event_name = event[0]
        message.chaincode_event.payload = event[1]
    return message.SerializeToString()
