from ledger.wire import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TransactionReceipt(_message.Message):
    __slots__ = ("envelope", "transaction_index", "transaction_count", "merkle_path", "block", "validation_code", "commit")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_INDEX_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    MERKLE_PATH_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_CODE_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    envelope: bytes
    transaction_index: int
    transaction_count: int
    merkle_path: _containers.RepeatedScalarFieldContainer[bytes]
    block: SignedHeader
    validation_code: int
    commit: CommitEvidence
    def __init__(self, envelope: _Optional[bytes] = ..., transaction_index: _Optional[int] = ..., transaction_count: _Optional[int] = ..., merkle_path: _Optional[_Iterable[bytes]] = ..., block: _Optional[_Union[SignedHeader, _Mapping]] = ..., validation_code: _Optional[int] = ..., commit: _Optional[_Union[CommitEvidence, _Mapping]] = ...) -> None: ...

class SignedHeader(_message.Message):
    __slots__ = ("header", "metadata_value", "signatures")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    METADATA_VALUE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.BlockHeader
    metadata_value: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[_common_pb2.MetadataSignature]
    def __init__(self, header: _Optional[_Union[_common_pb2.BlockHeader, _Mapping]] = ..., metadata_value: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[_common_pb2.MetadataSignature, _Mapping]]] = ...) -> None: ...

class CommitEvidence(_message.Message):
    __slots__ = ("previous_commit_hash", "transactions_filter", "state_hash", "next_block")
    PREVIOUS_COMMIT_HASH_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FILTER_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    NEXT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    previous_commit_hash: bytes
    transactions_filter: bytes
    state_hash: bytes
    next_block: SignedHeader
    def __init__(self, previous_commit_hash: _Optional[bytes] = ..., transactions_filter: _Optional[bytes] = ..., state_hash: _Optional[bytes] = ..., next_block: _Optional[_Union[SignedHeader, _Mapping]] = ...) -> None: ...
