from ledger.wire import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConsenterMetadata(_message.Message):
    __slots__ = ("version", "round", "proposer", "block_time_ms", "transactions_root", "validator_set_hash", "previous_commit_hash", "config_before")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    BLOCK_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_ROOT_FIELD_NUMBER: _ClassVar[int]
    VALIDATOR_SET_HASH_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_COMMIT_HASH_FIELD_NUMBER: _ClassVar[int]
    CONFIG_BEFORE_FIELD_NUMBER: _ClassVar[int]
    version: int
    round: int
    proposer: int
    block_time_ms: int
    transactions_root: bytes
    validator_set_hash: bytes
    previous_commit_hash: bytes
    config_before: int
    def __init__(self, version: _Optional[int] = ..., round: _Optional[int] = ..., proposer: _Optional[int] = ..., block_time_ms: _Optional[int] = ..., transactions_root: _Optional[bytes] = ..., validator_set_hash: _Optional[bytes] = ..., previous_commit_hash: _Optional[bytes] = ..., config_before: _Optional[int] = ...) -> None: ...

class BlockProposal(_message.Message):
    __slots__ = ("header", "entries", "last_config", "consenter_metadata")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    LAST_CONFIG_FIELD_NUMBER: _ClassVar[int]
    CONSENTER_METADATA_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.BlockHeader
    entries: _containers.RepeatedScalarFieldContainer[bytes]
    last_config: int
    consenter_metadata: bytes
    def __init__(self, header: _Optional[_Union[_common_pb2.BlockHeader, _Mapping]] = ..., entries: _Optional[_Iterable[bytes]] = ..., last_config: _Optional[int] = ..., consenter_metadata: _Optional[bytes] = ...) -> None: ...

class ConsensusPayload(_message.Message):
    __slots__ = ("type", "height", "round", "digest", "seal_identifier_header", "seal_signature", "has_prepared", "prepared_round", "prepared_digest", "author")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNSPECIFIED: _ClassVar[ConsensusPayload.Type]
        PROPOSAL: _ClassVar[ConsensusPayload.Type]
        PREPARE: _ClassVar[ConsensusPayload.Type]
        COMMIT: _ClassVar[ConsensusPayload.Type]
        ROUND_CHANGE: _ClassVar[ConsensusPayload.Type]
    UNSPECIFIED: ConsensusPayload.Type
    PROPOSAL: ConsensusPayload.Type
    PREPARE: ConsensusPayload.Type
    COMMIT: ConsensusPayload.Type
    ROUND_CHANGE: ConsensusPayload.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SEAL_IDENTIFIER_HEADER_FIELD_NUMBER: _ClassVar[int]
    SEAL_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    HAS_PREPARED_FIELD_NUMBER: _ClassVar[int]
    PREPARED_ROUND_FIELD_NUMBER: _ClassVar[int]
    PREPARED_DIGEST_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    type: int
    height: int
    round: int
    digest: bytes
    seal_identifier_header: bytes
    seal_signature: bytes
    has_prepared: bool
    prepared_round: int
    prepared_digest: bytes
    author: int
    def __init__(self, type: _Optional[int] = ..., height: _Optional[int] = ..., round: _Optional[int] = ..., digest: _Optional[bytes] = ..., seal_identifier_header: _Optional[bytes] = ..., seal_signature: _Optional[bytes] = ..., has_prepared: _Optional[bool] = ..., prepared_round: _Optional[int] = ..., prepared_digest: _Optional[bytes] = ..., author: _Optional[int] = ...) -> None: ...

class SignedConsensusPayload(_message.Message):
    __slots__ = ("payload", "signature")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    signature: bytes
    def __init__(self, payload: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class ConsensusMessage(_message.Message):
    __slots__ = ("signed", "block_proposal", "round_changes", "prepares")
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    BLOCK_PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    ROUND_CHANGES_FIELD_NUMBER: _ClassVar[int]
    PREPARES_FIELD_NUMBER: _ClassVar[int]
    signed: SignedConsensusPayload
    block_proposal: bytes
    round_changes: _containers.RepeatedCompositeFieldContainer[SignedConsensusPayload]
    prepares: _containers.RepeatedCompositeFieldContainer[SignedConsensusPayload]
    def __init__(self, signed: _Optional[_Union[SignedConsensusPayload, _Mapping]] = ..., block_proposal: _Optional[bytes] = ..., round_changes: _Optional[_Iterable[_Union[SignedConsensusPayload, _Mapping]]] = ..., prepares: _Optional[_Iterable[_Union[SignedConsensusPayload, _Mapping]]] = ...) -> None: ...

class JournalRecord(_message.Message):
    __slots__ = ("kind", "height", "round", "digest", "block_proposal", "round_changes", "prepares")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN: _ClassVar[JournalRecord.Kind]
        PROPOSAL_MADE: _ClassVar[JournalRecord.Kind]
        PREPARE_VOTED: _ClassVar[JournalRecord.Kind]
        COMMIT_VOTED: _ClassVar[JournalRecord.Kind]
        ROUND_ANNOUNCED: _ClassVar[JournalRecord.Kind]
    UNKNOWN: JournalRecord.Kind
    PROPOSAL_MADE: JournalRecord.Kind
    PREPARE_VOTED: JournalRecord.Kind
    COMMIT_VOTED: JournalRecord.Kind
    ROUND_ANNOUNCED: JournalRecord.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    BLOCK_PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    ROUND_CHANGES_FIELD_NUMBER: _ClassVar[int]
    PREPARES_FIELD_NUMBER: _ClassVar[int]
    kind: JournalRecord.Kind
    height: int
    round: int
    digest: bytes
    block_proposal: bytes
    round_changes: _containers.RepeatedCompositeFieldContainer[SignedConsensusPayload]
    prepares: _containers.RepeatedCompositeFieldContainer[SignedConsensusPayload]
    def __init__(self, kind: _Optional[_Union[JournalRecord.Kind, str]] = ..., height: _Optional[int] = ..., round: _Optional[int] = ..., digest: _Optional[bytes] = ..., block_proposal: _Optional[bytes] = ..., round_changes: _Optional[_Iterable[_Union[SignedConsensusPayload, _Mapping]]] = ..., prepares: _Optional[_Iterable[_Union[SignedConsensusPayload, _Mapping]]] = ...) -> None: ...

class OrderingSettings(_message.Message):
    __slots__ = ("network_id", "block_interval_ms", "removed_consenter_id")
    NETWORK_ID_FIELD_NUMBER: _ClassVar[int]
    BLOCK_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_CONSENTER_ID_FIELD_NUMBER: _ClassVar[int]
    network_id: str
    block_interval_ms: int
    removed_consenter_id: int
    def __init__(self, network_id: _Optional[str] = ..., block_interval_ms: _Optional[int] = ..., removed_consenter_id: _Optional[int] = ...) -> None: ...
