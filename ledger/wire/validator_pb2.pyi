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
    __slots__ = ("consensus_message", "transactions", "transactions_result", "endorse_request", "endorse_result", "block_request", "block_response", "status", "private_data_offer", "private_data_receipt", "private_data_request", "private_data_response")
    CONSENSUS_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_RESULT_FIELD_NUMBER: _ClassVar[int]
    ENDORSE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    ENDORSE_RESULT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_REQUEST_FIELD_NUMBER: _ClassVar[int]
    BLOCK_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_DATA_OFFER_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_DATA_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_DATA_REQUEST_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_DATA_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    consensus_message: bytes
    transactions: TransactionBatch
    transactions_result: TransactionBatchResult
    endorse_request: EndorseRequest
    endorse_result: EndorseResult
    block_request: BlockRequest
    block_response: BlockResponse
    status: Status
    private_data_offer: PrivateDataOffer
    private_data_receipt: PrivateDataReceipt
    private_data_request: PrivateDataRequest
    private_data_response: PrivateDataResponse
    def __init__(self, consensus_message: _Optional[bytes] = ..., transactions: _Optional[_Union[TransactionBatch, _Mapping]] = ..., transactions_result: _Optional[_Union[TransactionBatchResult, _Mapping]] = ..., endorse_request: _Optional[_Union[EndorseRequest, _Mapping]] = ..., endorse_result: _Optional[_Union[EndorseResult, _Mapping]] = ..., block_request: _Optional[_Union[BlockRequest, _Mapping]] = ..., block_response: _Optional[_Union[BlockResponse, _Mapping]] = ..., status: _Optional[_Union[Status, _Mapping]] = ..., private_data_offer: _Optional[_Union[PrivateDataOffer, _Mapping]] = ..., private_data_receipt: _Optional[_Union[PrivateDataReceipt, _Mapping]] = ..., private_data_request: _Optional[_Union[PrivateDataRequest, _Mapping]] = ..., private_data_response: _Optional[_Union[PrivateDataResponse, _Mapping]] = ...) -> None: ...

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

class PrivateDataOffer(_message.Message):
    __slots__ = ("request_id", "tx_id", "private_rwset")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TX_ID_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_RWSET_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    tx_id: str
    private_rwset: bytes
    def __init__(self, request_id: _Optional[int] = ..., tx_id: _Optional[str] = ..., private_rwset: _Optional[bytes] = ...) -> None: ...

class PrivateDataReceipt(_message.Message):
    __slots__ = ("request_id", "reason", "detail")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    reason: str
    detail: str
    def __init__(self, request_id: _Optional[int] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class PrivateDataRequest(_message.Message):
    __slots__ = ("request_id", "wanted", "page")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    wanted: _containers.RepeatedCompositeFieldContainer[PrivateSetName]
    page: PrivateValuesPage
    def __init__(self, request_id: _Optional[int] = ..., wanted: _Optional[_Iterable[_Union[PrivateSetName, _Mapping]]] = ..., page: _Optional[_Union[PrivateValuesPage, _Mapping]] = ...) -> None: ...

class PrivateSetName(_message.Message):
    __slots__ = ("block_number", "tx_number", "tx_id", "namespace", "collection", "set_hash")
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TX_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TX_ID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    SET_HASH_FIELD_NUMBER: _ClassVar[int]
    block_number: int
    tx_number: int
    tx_id: str
    namespace: str
    collection: str
    set_hash: bytes
    def __init__(self, block_number: _Optional[int] = ..., tx_number: _Optional[int] = ..., tx_id: _Optional[str] = ..., namespace: _Optional[str] = ..., collection: _Optional[str] = ..., set_hash: _Optional[bytes] = ...) -> None: ...

class PrivateValuesPage(_message.Message):
    __slots__ = ("namespace", "collection", "after_key_hash")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    AFTER_KEY_HASH_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    collection: str
    after_key_hash: bytes
    def __init__(self, namespace: _Optional[str] = ..., collection: _Optional[str] = ..., after_key_hash: _Optional[bytes] = ...) -> None: ...

class PrivateDataResponse(_message.Message):
    __slots__ = ("request_id", "found", "values", "last_key_hash")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    LAST_KEY_HASH_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    found: _containers.RepeatedCompositeFieldContainer[PrivateSet]
    values: bytes
    last_key_hash: bytes
    def __init__(self, request_id: _Optional[int] = ..., found: _Optional[_Iterable[_Union[PrivateSet, _Mapping]]] = ..., values: _Optional[bytes] = ..., last_key_hash: _Optional[bytes] = ...) -> None: ...

class PrivateSet(_message.Message):
    __slots__ = ("index", "rwset")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RWSET_FIELD_NUMBER: _ClassVar[int]
    index: int
    rwset: bytes
    def __init__(self, index: _Optional[int] = ..., rwset: _Optional[bytes] = ...) -> None: ...
