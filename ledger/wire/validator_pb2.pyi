from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Frame(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Item]
    def __init__(self, items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("consensus_message", "transactions", "transactions_result", "endorse_request", "endorse_result", "block_request", "block_response", "status")
    CONSENSUS_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_RESULT_FIELD_NUMBER: _ClassVar[int]
    ENDORSE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    ENDORSE_RESULT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_REQUEST_FIELD_NUMBER: _ClassVar[int]
    BLOCK_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    consensus_message: bytes
    transactions: TransactionBatch
    transactions_result: TransactionBatchResult
    endorse_request: EndorseRequest
    endorse_result: EndorseResult
    block_request: BlockRequest
    block_response: BlockResponse
    status: Status
    def __init__(self, consensus_message: _Optional[bytes] = ..., transactions: _Optional[_Union[TransactionBatch, _Mapping]] = ..., transactions_result: _Optional[_Union[TransactionBatchResult, _Mapping]] = ..., endorse_request: _Optional[_Union[EndorseRequest, _Mapping]] = ..., endorse_result: _Optional[_Union[EndorseResult, _Mapping]] = ..., block_request: _Optional[_Union[BlockRequest, _Mapping]] = ..., block_response: _Optional[_Union[BlockResponse, _Mapping]] = ..., status: _Optional[_Union[Status, _Mapping]] = ...) -> None: ...

class TransactionBatch(_message.Message):
    __slots__ = ("envelopes", "batch_id")
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedScalarFieldContainer[bytes]
    batch_id: int
    def __init__(self, envelopes: _Optional[_Iterable[bytes]] = ..., batch_id: _Optional[int] = ...) -> None: ...

class TransactionBatchResult(_message.Message):
    __slots__ = ("batch_id", "entries")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    batch_id: int
    entries: _containers.RepeatedCompositeFieldContainer[AckEntry]
    def __init__(self, batch_id: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[AckEntry, _Mapping]]] = ...) -> None: ...

class AckEntry(_message.Message):
    __slots__ = ("accepted", "reason", "detail")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    accepted: bool
    reason: str
    detail: str
    def __init__(self, accepted: _Optional[bool] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class EndorseRequest(_message.Message):
    __slots__ = ("request_id", "signed_proposal", "channel_id", "height_min")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNED_PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_MIN_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    signed_proposal: bytes
    channel_id: str
    height_min: int
    def __init__(self, request_id: _Optional[int] = ..., signed_proposal: _Optional[bytes] = ..., channel_id: _Optional[str] = ..., height_min: _Optional[int] = ...) -> None: ...

class EndorseResult(_message.Message):
    __slots__ = ("request_id", "proposal_response", "reason", "detail", "height")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    proposal_response: bytes
    reason: str
    detail: str
    height: int
    def __init__(self, request_id: _Optional[int] = ..., proposal_response: _Optional[bytes] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., height: _Optional[int] = ...) -> None: ...

class BlockRequest(_message.Message):
    __slots__ = ("from_number", "to_number")
    FROM_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TO_NUMBER_FIELD_NUMBER: _ClassVar[int]
    from_number: int
    to_number: int
    def __init__(self, from_number: _Optional[int] = ..., to_number: _Optional[int] = ...) -> None: ...

class BlockResponse(_message.Message):
    __slots__ = ("blocks",)
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    blocks: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, blocks: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("height", "block_hash", "commit_hash", "round", "observes", "disk_short")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    COMMIT_HASH_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    OBSERVES_FIELD_NUMBER: _ClassVar[int]
    DISK_SHORT_FIELD_NUMBER: _ClassVar[int]
    height: int
    block_hash: bytes
    commit_hash: bytes
    round: int
    observes: bool
    disk_short: bool
    def __init__(self, height: _Optional[int] = ..., block_hash: _Optional[bytes] = ..., commit_hash: _Optional[bytes] = ..., round: _Optional[int] = ..., observes: _Optional[bool] = ..., disk_short: _Optional[bool] = ...) -> None: ...
