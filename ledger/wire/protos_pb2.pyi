import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ledger.wire import common_pb2 as _common_pb2
from ledger.wire import rwset_pb2 as _rwset_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TxValidationCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VALID: _ClassVar[TxValidationCode]
    NIL_ENVELOPE: _ClassVar[TxValidationCode]
    BAD_PAYLOAD: _ClassVar[TxValidationCode]
    BAD_COMMON_HEADER: _ClassVar[TxValidationCode]
    BAD_CREATOR_SIGNATURE: _ClassVar[TxValidationCode]
    INVALID_ENDORSER_TRANSACTION: _ClassVar[TxValidationCode]
    INVALID_CONFIG_TRANSACTION: _ClassVar[TxValidationCode]
    UNSUPPORTED_TX_PAYLOAD: _ClassVar[TxValidationCode]
    BAD_PROPOSAL_TXID: _ClassVar[TxValidationCode]
    DUPLICATE_TXID: _ClassVar[TxValidationCode]
    ENDORSEMENT_POLICY_FAILURE: _ClassVar[TxValidationCode]
    MVCC_READ_CONFLICT: _ClassVar[TxValidationCode]
    PHANTOM_READ_CONFLICT: _ClassVar[TxValidationCode]
    UNKNOWN_TX_TYPE: _ClassVar[TxValidationCode]
    TARGET_CHAIN_NOT_FOUND: _ClassVar[TxValidationCode]
    MARSHAL_TX_ERROR: _ClassVar[TxValidationCode]
    NIL_TXACTION: _ClassVar[TxValidationCode]
    EXPIRED_CHAINCODE: _ClassVar[TxValidationCode]
    CHAINCODE_VERSION_CONFLICT: _ClassVar[TxValidationCode]
    BAD_HEADER_EXTENSION: _ClassVar[TxValidationCode]
    BAD_CHANNEL_HEADER: _ClassVar[TxValidationCode]
    BAD_RESPONSE_PAYLOAD: _ClassVar[TxValidationCode]
    BAD_RWSET: _ClassVar[TxValidationCode]
    ILLEGAL_WRITESET: _ClassVar[TxValidationCode]
    INVALID_WRITESET: _ClassVar[TxValidationCode]
    INVALID_CHAINCODE: _ClassVar[TxValidationCode]
    NOT_VALIDATED: _ClassVar[TxValidationCode]
    INVALID_OTHER_REASON: _ClassVar[TxValidationCode]
VALID: TxValidationCode
NIL_ENVELOPE: TxValidationCode
BAD_PAYLOAD: TxValidationCode
BAD_COMMON_HEADER: TxValidationCode
BAD_CREATOR_SIGNATURE: TxValidationCode
INVALID_ENDORSER_TRANSACTION: TxValidationCode
INVALID_CONFIG_TRANSACTION: TxValidationCode
UNSUPPORTED_TX_PAYLOAD: TxValidationCode
BAD_PROPOSAL_TXID: TxValidationCode
DUPLICATE_TXID: TxValidationCode
ENDORSEMENT_POLICY_FAILURE: TxValidationCode
MVCC_READ_CONFLICT: TxValidationCode
PHANTOM_READ_CONFLICT: TxValidationCode
UNKNOWN_TX_TYPE: TxValidationCode
TARGET_CHAIN_NOT_FOUND: TxValidationCode
MARSHAL_TX_ERROR: TxValidationCode
NIL_TXACTION: TxValidationCode
EXPIRED_CHAINCODE: TxValidationCode
CHAINCODE_VERSION_CONFLICT: TxValidationCode
BAD_HEADER_EXTENSION: TxValidationCode
BAD_CHANNEL_HEADER: TxValidationCode
BAD_RESPONSE_PAYLOAD: TxValidationCode
BAD_RWSET: TxValidationCode
ILLEGAL_WRITESET: TxValidationCode
INVALID_WRITESET: TxValidationCode
INVALID_CHAINCODE: TxValidationCode
NOT_VALIDATED: TxValidationCode
INVALID_OTHER_REASON: TxValidationCode

class SignedProposal(_message.Message):
    __slots__ = ("proposal_bytes", "signature")
    PROPOSAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    proposal_bytes: bytes
    signature: bytes
    def __init__(self, proposal_bytes: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("header", "payload", "extension")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    EXTENSION_FIELD_NUMBER: _ClassVar[int]
    header: bytes
    payload: bytes
    extension: bytes
    def __init__(self, header: _Optional[bytes] = ..., payload: _Optional[bytes] = ..., extension: _Optional[bytes] = ...) -> None: ...

class ChaincodeHeaderExtension(_message.Message):
    __slots__ = ("chaincode_id",)
    CHAINCODE_ID_FIELD_NUMBER: _ClassVar[int]
    chaincode_id: ChaincodeID
    def __init__(self, chaincode_id: _Optional[_Union[ChaincodeID, _Mapping]] = ...) -> None: ...

class ChaincodeProposalPayload(_message.Message):
    __slots__ = ("input", "TransientMap")
    class TransientMapEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TRANSIENTMAP_FIELD_NUMBER: _ClassVar[int]
    input: bytes
    TransientMap: _containers.ScalarMap[str, bytes]
    def __init__(self, input: _Optional[bytes] = ..., TransientMap: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class ChaincodeID(_message.Message):
    __slots__ = ("path", "name", "version")
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    path: str
    name: str
    version: str
    def __init__(self, path: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class ChaincodeInput(_message.Message):
    __slots__ = ("args", "decorations", "is_init")
    class DecorationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    ARGS_FIELD_NUMBER: _ClassVar[int]
    DECORATIONS_FIELD_NUMBER: _ClassVar[int]
    IS_INIT_FIELD_NUMBER: _ClassVar[int]
    args: _containers.RepeatedScalarFieldContainer[bytes]
    decorations: _containers.ScalarMap[str, bytes]
    is_init: bool
    def __init__(self, args: _Optional[_Iterable[bytes]] = ..., decorations: _Optional[_Mapping[str, bytes]] = ..., is_init: _Optional[bool] = ...) -> None: ...

class ChaincodeSpec(_message.Message):
    __slots__ = ("type", "chaincode_id", "input", "timeout")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNDEFINED: _ClassVar[ChaincodeSpec.Type]
        GOLANG: _ClassVar[ChaincodeSpec.Type]
        NODE: _ClassVar[ChaincodeSpec.Type]
        CAR: _ClassVar[ChaincodeSpec.Type]
        JAVA: _ClassVar[ChaincodeSpec.Type]
    UNDEFINED: ChaincodeSpec.Type
    GOLANG: ChaincodeSpec.Type
    NODE: ChaincodeSpec.Type
    CAR: ChaincodeSpec.Type
    JAVA: ChaincodeSpec.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CHAINCODE_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    type: ChaincodeSpec.Type
    chaincode_id: ChaincodeID
    input: ChaincodeInput
    timeout: int
    def __init__(self, type: _Optional[_Union[ChaincodeSpec.Type, str]] = ..., chaincode_id: _Optional[_Union[ChaincodeID, _Mapping]] = ..., input: _Optional[_Union[ChaincodeInput, _Mapping]] = ..., timeout: _Optional[int] = ...) -> None: ...

class ChaincodeInvocationSpec(_message.Message):
    __slots__ = ("chaincode_spec",)
    CHAINCODE_SPEC_FIELD_NUMBER: _ClassVar[int]
    chaincode_spec: ChaincodeSpec
    def __init__(self, chaincode_spec: _Optional[_Union[ChaincodeSpec, _Mapping]] = ...) -> None: ...

class ProposalResponse(_message.Message):
    __slots__ = ("version", "timestamp", "response", "payload", "endorsement", "interest")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENT_FIELD_NUMBER: _ClassVar[int]
    INTEREST_FIELD_NUMBER: _ClassVar[int]
    version: int
    timestamp: _timestamp_pb2.Timestamp
    response: Response
    payload: bytes
    endorsement: Endorsement
    interest: ChaincodeInterest
    def __init__(self, version: _Optional[int] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., response: _Optional[_Union[Response, _Mapping]] = ..., payload: _Optional[bytes] = ..., endorsement: _Optional[_Union[Endorsement, _Mapping]] = ..., interest: _Optional[_Union[ChaincodeInterest, _Mapping]] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("status", "message", "payload")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    status: int
    message: str
    payload: bytes
    def __init__(self, status: _Optional[int] = ..., message: _Optional[str] = ..., payload: _Optional[bytes] = ...) -> None: ...

class ProposalResponsePayload(_message.Message):
    __slots__ = ("proposal_hash", "extension")
    PROPOSAL_HASH_FIELD_NUMBER: _ClassVar[int]
    EXTENSION_FIELD_NUMBER: _ClassVar[int]
    proposal_hash: bytes
    extension: bytes
    def __init__(self, proposal_hash: _Optional[bytes] = ..., extension: _Optional[bytes] = ...) -> None: ...

class Endorsement(_message.Message):
    __slots__ = ("endorser", "signature")
    ENDORSER_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    endorser: bytes
    signature: bytes
    def __init__(self, endorser: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class ChaincodeInterest(_message.Message):
    __slots__ = ("chaincodes",)
    CHAINCODES_FIELD_NUMBER: _ClassVar[int]
    chaincodes: _containers.RepeatedCompositeFieldContainer[ChaincodeCall]
    def __init__(self, chaincodes: _Optional[_Iterable[_Union[ChaincodeCall, _Mapping]]] = ...) -> None: ...

class ChaincodeCall(_message.Message):
    __slots__ = ("name", "collection_names", "no_private_reads", "no_public_writes", "key_policies", "disregard_namespace_policy")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_NAMES_FIELD_NUMBER: _ClassVar[int]
    NO_PRIVATE_READS_FIELD_NUMBER: _ClassVar[int]
    NO_PUBLIC_WRITES_FIELD_NUMBER: _ClassVar[int]
    KEY_POLICIES_FIELD_NUMBER: _ClassVar[int]
    DISREGARD_NAMESPACE_POLICY_FIELD_NUMBER: _ClassVar[int]
    name: str
    collection_names: _containers.RepeatedScalarFieldContainer[str]
    no_private_reads: bool
    no_public_writes: bool
    key_policies: _containers.RepeatedCompositeFieldContainer[_common_pb2.SignaturePolicyEnvelope]
    disregard_namespace_policy: bool
    def __init__(self, name: _Optional[str] = ..., collection_names: _Optional[_Iterable[str]] = ..., no_private_reads: _Optional[bool] = ..., no_public_writes: _Optional[bool] = ..., key_policies: _Optional[_Iterable[_Union[_common_pb2.SignaturePolicyEnvelope, _Mapping]]] = ..., disregard_namespace_policy: _Optional[bool] = ...) -> None: ...

class Transaction(_message.Message):
    __slots__ = ("actions",)
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    actions: _containers.RepeatedCompositeFieldContainer[TransactionAction]
    def __init__(self, actions: _Optional[_Iterable[_Union[TransactionAction, _Mapping]]] = ...) -> None: ...

class TransactionAction(_message.Message):
    __slots__ = ("header", "payload")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    header: bytes
    payload: bytes
    def __init__(self, header: _Optional[bytes] = ..., payload: _Optional[bytes] = ...) -> None: ...

class ChaincodeActionPayload(_message.Message):
    __slots__ = ("chaincode_proposal_payload", "action")
    CHAINCODE_PROPOSAL_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    chaincode_proposal_payload: bytes
    action: ChaincodeEndorsedAction
    def __init__(self, chaincode_proposal_payload: _Optional[bytes] = ..., action: _Optional[_Union[ChaincodeEndorsedAction, _Mapping]] = ...) -> None: ...

class ChaincodeEndorsedAction(_message.Message):
    __slots__ = ("proposal_response_payload", "endorsements")
    PROPOSAL_RESPONSE_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENTS_FIELD_NUMBER: _ClassVar[int]
    proposal_response_payload: bytes
    endorsements: _containers.RepeatedCompositeFieldContainer[Endorsement]
    def __init__(self, proposal_response_payload: _Optional[bytes] = ..., endorsements: _Optional[_Iterable[_Union[Endorsement, _Mapping]]] = ...) -> None: ...

class ChaincodeAction(_message.Message):
    __slots__ = ("results", "events", "response", "chaincode_id")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    CHAINCODE_ID_FIELD_NUMBER: _ClassVar[int]
    results: bytes
    events: bytes
    response: Response
    chaincode_id: ChaincodeID
    def __init__(self, results: _Optional[bytes] = ..., events: _Optional[bytes] = ..., response: _Optional[_Union[Response, _Mapping]] = ..., chaincode_id: _Optional[_Union[ChaincodeID, _Mapping]] = ...) -> None: ...

class ChaincodeEvent(_message.Message):
    __slots__ = ("chaincode_id", "tx_id", "event_name", "payload")
    CHAINCODE_ID_FIELD_NUMBER: _ClassVar[int]
    TX_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_NAME_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    chaincode_id: str
    tx_id: str
    event_name: str
    payload: bytes
    def __init__(self, chaincode_id: _Optional[str] = ..., tx_id: _Optional[str] = ..., event_name: _Optional[str] = ..., payload: _Optional[bytes] = ...) -> None: ...

class ProcessedTransaction(_message.Message):
    __slots__ = ("transactionEnvelope", "validationCode")
    TRANSACTIONENVELOPE_FIELD_NUMBER: _ClassVar[int]
    VALIDATIONCODE_FIELD_NUMBER: _ClassVar[int]
    transactionEnvelope: _common_pb2.Envelope
    validationCode: int
    def __init__(self, transactionEnvelope: _Optional[_Union[_common_pb2.Envelope, _Mapping]] = ..., validationCode: _Optional[int] = ...) -> None: ...

class FilteredBlock(_message.Message):
    __slots__ = ("channel_id", "number", "filtered_transactions")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FILTERED_TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    number: int
    filtered_transactions: _containers.RepeatedCompositeFieldContainer[FilteredTransaction]
    def __init__(self, channel_id: _Optional[str] = ..., number: _Optional[int] = ..., filtered_transactions: _Optional[_Iterable[_Union[FilteredTransaction, _Mapping]]] = ...) -> None: ...

class FilteredTransaction(_message.Message):
    __slots__ = ("txid", "type", "tx_validation_code", "transaction_actions")
    TXID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TX_VALIDATION_CODE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    txid: str
    type: _common_pb2.HeaderType
    tx_validation_code: TxValidationCode
    transaction_actions: FilteredTransactionActions
    def __init__(self, txid: _Optional[str] = ..., type: _Optional[_Union[_common_pb2.HeaderType, str]] = ..., tx_validation_code: _Optional[_Union[TxValidationCode, str]] = ..., transaction_actions: _Optional[_Union[FilteredTransactionActions, _Mapping]] = ...) -> None: ...

class FilteredTransactionActions(_message.Message):
    __slots__ = ("chaincode_actions",)
    CHAINCODE_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    chaincode_actions: _containers.RepeatedCompositeFieldContainer[FilteredChaincodeAction]
    def __init__(self, chaincode_actions: _Optional[_Iterable[_Union[FilteredChaincodeAction, _Mapping]]] = ...) -> None: ...

class FilteredChaincodeAction(_message.Message):
    __slots__ = ("chaincode_event",)
    CHAINCODE_EVENT_FIELD_NUMBER: _ClassVar[int]
    chaincode_event: ChaincodeEvent
    def __init__(self, chaincode_event: _Optional[_Union[ChaincodeEvent, _Mapping]] = ...) -> None: ...

class BlockAndPrivateData(_message.Message):
    __slots__ = ("block", "private_data_map")
    class PrivateDataMapEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: _rwset_pb2.TxPvtReadWriteSet
        def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[_rwset_pb2.TxPvtReadWriteSet, _Mapping]] = ...) -> None: ...
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_DATA_MAP_FIELD_NUMBER: _ClassVar[int]
    block: _common_pb2.Block
    private_data_map: _containers.MessageMap[int, _rwset_pb2.TxPvtReadWriteSet]
    def __init__(self, block: _Optional[_Union[_common_pb2.Block, _Mapping]] = ..., private_data_map: _Optional[_Mapping[int, _rwset_pb2.TxPvtReadWriteSet]] = ...) -> None: ...

class DeliverResponse(_message.Message):
    __slots__ = ("status", "block", "filtered_block", "block_and_private_data")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    FILTERED_BLOCK_FIELD_NUMBER: _ClassVar[int]
    BLOCK_AND_PRIVATE_DATA_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.Status
    block: _common_pb2.Block
    filtered_block: FilteredBlock
    block_and_private_data: BlockAndPrivateData
    def __init__(self, status: _Optional[_Union[_common_pb2.Status, str]] = ..., block: _Optional[_Union[_common_pb2.Block, _Mapping]] = ..., filtered_block: _Optional[_Union[FilteredBlock, _Mapping]] = ..., block_and_private_data: _Optional[_Union[BlockAndPrivateData, _Mapping]] = ...) -> None: ...

class ApplicationPolicy(_message.Message):
    __slots__ = ("signature_policy", "channel_config_policy_reference")
    SIGNATURE_POLICY_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_CONFIG_POLICY_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    signature_policy: _common_pb2.SignaturePolicyEnvelope
    channel_config_policy_reference: str
    def __init__(self, signature_policy: _Optional[_Union[_common_pb2.SignaturePolicyEnvelope, _Mapping]] = ..., channel_config_policy_reference: _Optional[str] = ...) -> None: ...

class CollectionConfigPackage(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: _containers.RepeatedCompositeFieldContainer[CollectionConfig]
    def __init__(self, config: _Optional[_Iterable[_Union[CollectionConfig, _Mapping]]] = ...) -> None: ...

class CollectionConfig(_message.Message):
    __slots__ = ("static_collection_config",)
    STATIC_COLLECTION_CONFIG_FIELD_NUMBER: _ClassVar[int]
    static_collection_config: StaticCollectionConfig
    def __init__(self, static_collection_config: _Optional[_Union[StaticCollectionConfig, _Mapping]] = ...) -> None: ...

class StaticCollectionConfig(_message.Message):
    __slots__ = ("name", "member_orgs_policy", "required_peer_count", "maximum_peer_count", "block_to_live", "member_only_read", "member_only_write", "endorsement_policy")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ORGS_POLICY_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_PEER_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_PEER_COUNT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_TO_LIVE_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ONLY_READ_FIELD_NUMBER: _ClassVar[int]
    MEMBER_ONLY_WRITE_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENT_POLICY_FIELD_NUMBER: _ClassVar[int]
    name: str
    member_orgs_policy: CollectionPolicyConfig
    required_peer_count: int
    maximum_peer_count: int
    block_to_live: int
    member_only_read: bool
    member_only_write: bool
    endorsement_policy: ApplicationPolicy
    def __init__(self, name: _Optional[str] = ..., member_orgs_policy: _Optional[_Union[CollectionPolicyConfig, _Mapping]] = ..., required_peer_count: _Optional[int] = ..., maximum_peer_count: _Optional[int] = ..., block_to_live: _Optional[int] = ..., member_only_read: _Optional[bool] = ..., member_only_write: _Optional[bool] = ..., endorsement_policy: _Optional[_Union[ApplicationPolicy, _Mapping]] = ...) -> None: ...

class CollectionPolicyConfig(_message.Message):
    __slots__ = ("signature_policy",)
    SIGNATURE_POLICY_FIELD_NUMBER: _ClassVar[int]
    signature_policy: _common_pb2.SignaturePolicyEnvelope
    def __init__(self, signature_policy: _Optional[_Union[_common_pb2.SignaturePolicyEnvelope, _Mapping]] = ...) -> None: ...

class AnchorPeers(_message.Message):
    __slots__ = ("anchor_peers",)
    ANCHOR_PEERS_FIELD_NUMBER: _ClassVar[int]
    anchor_peers: _containers.RepeatedCompositeFieldContainer[AnchorPeer]
    def __init__(self, anchor_peers: _Optional[_Iterable[_Union[AnchorPeer, _Mapping]]] = ...) -> None: ...

class AnchorPeer(_message.Message):
    __slots__ = ("host", "port")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...

class APIResource(_message.Message):
    __slots__ = ("policy_ref",)
    POLICY_REF_FIELD_NUMBER: _ClassVar[int]
    policy_ref: str
    def __init__(self, policy_ref: _Optional[str] = ...) -> None: ...

class ACLs(_message.Message):
    __slots__ = ("acls",)
    class AclsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: APIResource
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[APIResource, _Mapping]] = ...) -> None: ...
    ACLS_FIELD_NUMBER: _ClassVar[int]
    acls: _containers.MessageMap[str, APIResource]
    def __init__(self, acls: _Optional[_Mapping[str, APIResource]] = ...) -> None: ...

class ChannelQueryResponse(_message.Message):
    __slots__ = ("channels",)
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    channels: _containers.RepeatedCompositeFieldContainer[ChannelInfo]
    def __init__(self, channels: _Optional[_Iterable[_Union[ChannelInfo, _Mapping]]] = ...) -> None: ...

class ChannelInfo(_message.Message):
    __slots__ = ("channel_id",)
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    def __init__(self, channel_id: _Optional[str] = ...) -> None: ...

class ChaincodeMessage(_message.Message):
    __slots__ = ("type", "timestamp", "payload", "txid", "proposal", "chaincode_event", "channel_id")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNDEFINED: _ClassVar[ChaincodeMessage.Type]
        REGISTER: _ClassVar[ChaincodeMessage.Type]
        REGISTERED: _ClassVar[ChaincodeMessage.Type]
        INIT: _ClassVar[ChaincodeMessage.Type]
        READY: _ClassVar[ChaincodeMessage.Type]
        TRANSACTION: _ClassVar[ChaincodeMessage.Type]
        COMPLETED: _ClassVar[ChaincodeMessage.Type]
        ERROR: _ClassVar[ChaincodeMessage.Type]
        GET_STATE: _ClassVar[ChaincodeMessage.Type]
        PUT_STATE: _ClassVar[ChaincodeMessage.Type]
        DEL_STATE: _ClassVar[ChaincodeMessage.Type]
        INVOKE_CHAINCODE: _ClassVar[ChaincodeMessage.Type]
        RESPONSE: _ClassVar[ChaincodeMessage.Type]
        GET_STATE_BY_RANGE: _ClassVar[ChaincodeMessage.Type]
        GET_QUERY_RESULT: _ClassVar[ChaincodeMessage.Type]
        QUERY_STATE_NEXT: _ClassVar[ChaincodeMessage.Type]
        QUERY_STATE_CLOSE: _ClassVar[ChaincodeMessage.Type]
        KEEPALIVE: _ClassVar[ChaincodeMessage.Type]
        GET_HISTORY_FOR_KEY: _ClassVar[ChaincodeMessage.Type]
        GET_STATE_METADATA: _ClassVar[ChaincodeMessage.Type]
        PUT_STATE_METADATA: _ClassVar[ChaincodeMessage.Type]
        GET_PRIVATE_DATA_HASH: _ClassVar[ChaincodeMessage.Type]
        PURGE_PRIVATE_DATA: _ClassVar[ChaincodeMessage.Type]
        WRITE_BATCH_STATE: _ClassVar[ChaincodeMessage.Type]
        GET_STATE_MULTIPLE: _ClassVar[ChaincodeMessage.Type]
    UNDEFINED: ChaincodeMessage.Type
    REGISTER: ChaincodeMessage.Type
    REGISTERED: ChaincodeMessage.Type
    INIT: ChaincodeMessage.Type
    READY: ChaincodeMessage.Type
    TRANSACTION: ChaincodeMessage.Type
    COMPLETED: ChaincodeMessage.Type
    ERROR: ChaincodeMessage.Type
    GET_STATE: ChaincodeMessage.Type
    PUT_STATE: ChaincodeMessage.Type
    DEL_STATE: ChaincodeMessage.Type
    INVOKE_CHAINCODE: ChaincodeMessage.Type
    RESPONSE: ChaincodeMessage.Type
    GET_STATE_BY_RANGE: ChaincodeMessage.Type
    GET_QUERY_RESULT: ChaincodeMessage.Type
    QUERY_STATE_NEXT: ChaincodeMessage.Type
    QUERY_STATE_CLOSE: ChaincodeMessage.Type
    KEEPALIVE: ChaincodeMessage.Type
    GET_HISTORY_FOR_KEY: ChaincodeMessage.Type
    GET_STATE_METADATA: ChaincodeMessage.Type
    PUT_STATE_METADATA: ChaincodeMessage.Type
    GET_PRIVATE_DATA_HASH: ChaincodeMessage.Type
    PURGE_PRIVATE_DATA: ChaincodeMessage.Type
    WRITE_BATCH_STATE: ChaincodeMessage.Type
    GET_STATE_MULTIPLE: ChaincodeMessage.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    TXID_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    CHAINCODE_EVENT_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    type: ChaincodeMessage.Type
    timestamp: _timestamp_pb2.Timestamp
    payload: bytes
    txid: str
    proposal: SignedProposal
    chaincode_event: ChaincodeEvent
    channel_id: str
    def __init__(self, type: _Optional[_Union[ChaincodeMessage.Type, str]] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., payload: _Optional[bytes] = ..., txid: _Optional[str] = ..., proposal: _Optional[_Union[SignedProposal, _Mapping]] = ..., chaincode_event: _Optional[_Union[ChaincodeEvent, _Mapping]] = ..., channel_id: _Optional[str] = ...) -> None: ...

class ChaincodeAdditionalParams(_message.Message):
    __slots__ = ("use_write_batch", "max_size_write_batch", "use_get_multiple_keys", "max_size_get_multiple_keys")
    USE_WRITE_BATCH_FIELD_NUMBER: _ClassVar[int]
    MAX_SIZE_WRITE_BATCH_FIELD_NUMBER: _ClassVar[int]
    USE_GET_MULTIPLE_KEYS_FIELD_NUMBER: _ClassVar[int]
    MAX_SIZE_GET_MULTIPLE_KEYS_FIELD_NUMBER: _ClassVar[int]
    use_write_batch: bool
    max_size_write_batch: int
    use_get_multiple_keys: bool
    max_size_get_multiple_keys: int
    def __init__(self, use_write_batch: _Optional[bool] = ..., max_size_write_batch: _Optional[int] = ..., use_get_multiple_keys: _Optional[bool] = ..., max_size_get_multiple_keys: _Optional[int] = ...) -> None: ...

class GetState(_message.Message):
    __slots__ = ("key", "collection")
    KEY_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    key: str
    collection: str
    def __init__(self, key: _Optional[str] = ..., collection: _Optional[str] = ...) -> None: ...

class GetStateMetadata(_message.Message):
    __slots__ = ("key", "collection")
    KEY_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    key: str
    collection: str
    def __init__(self, key: _Optional[str] = ..., collection: _Optional[str] = ...) -> None: ...

class GetStateMultiple(_message.Message):
    __slots__ = ("keys", "collection")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    collection: str
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., collection: _Optional[str] = ...) -> None: ...

class GetStateMultipleResult(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, values: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PutState(_message.Message):
    __slots__ = ("key", "value", "collection")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: bytes
    collection: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ..., collection: _Optional[str] = ...) -> None: ...

class PutStateMetadata(_message.Message):
    __slots__ = ("key", "collection", "metadata")
    KEY_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    key: str
    collection: str
    metadata: StateMetadata
    def __init__(self, key: _Optional[str] = ..., collection: _Optional[str] = ..., metadata: _Optional[_Union[StateMetadata, _Mapping]] = ...) -> None: ...

class WriteBatchState(_message.Message):
    __slots__ = ("rec",)
    REC_FIELD_NUMBER: _ClassVar[int]
    rec: _containers.RepeatedCompositeFieldContainer[WriteRecord]
    def __init__(self, rec: _Optional[_Iterable[_Union[WriteRecord, _Mapping]]] = ...) -> None: ...

class WriteRecord(_message.Message):
    __slots__ = ("key", "value", "collection", "metadata", "type")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNDEFINED: _ClassVar[WriteRecord.Type]
        PUT_STATE: _ClassVar[WriteRecord.Type]
        DEL_STATE: _ClassVar[WriteRecord.Type]
        PUT_STATE_METADATA: _ClassVar[WriteRecord.Type]
        PURGE_PRIVATE_DATA: _ClassVar[WriteRecord.Type]
    UNDEFINED: WriteRecord.Type
    PUT_STATE: WriteRecord.Type
    DEL_STATE: WriteRecord.Type
    PUT_STATE_METADATA: WriteRecord.Type
    PURGE_PRIVATE_DATA: WriteRecord.Type
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: bytes
    collection: str
    metadata: StateMetadata
    type: WriteRecord.Type
    def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ..., collection: _Optional[str] = ..., metadata: _Optional[_Union[StateMetadata, _Mapping]] = ..., type: _Optional[_Union[WriteRecord.Type, str]] = ...) -> None: ...

class DelState(_message.Message):
    __slots__ = ("key", "collection")
    KEY_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    key: str
    collection: str
    def __init__(self, key: _Optional[str] = ..., collection: _Optional[str] = ...) -> None: ...

class PurgePrivateState(_message.Message):
    __slots__ = ("key", "collection")
    KEY_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    key: str
    collection: str
    def __init__(self, key: _Optional[str] = ..., collection: _Optional[str] = ...) -> None: ...

class GetStateByRange(_message.Message):
    __slots__ = ("startKey", "endKey", "collection", "metadata")
    STARTKEY_FIELD_NUMBER: _ClassVar[int]
    ENDKEY_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    startKey: str
    endKey: str
    collection: str
    metadata: bytes
    def __init__(self, startKey: _Optional[str] = ..., endKey: _Optional[str] = ..., collection: _Optional[str] = ..., metadata: _Optional[bytes] = ...) -> None: ...

class GetQueryResult(_message.Message):
    __slots__ = ("query", "collection", "metadata")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    query: str
    collection: str
    metadata: bytes
    def __init__(self, query: _Optional[str] = ..., collection: _Optional[str] = ..., metadata: _Optional[bytes] = ...) -> None: ...

class QueryMetadata(_message.Message):
    __slots__ = ("pageSize", "bookmark")
    PAGESIZE_FIELD_NUMBER: _ClassVar[int]
    BOOKMARK_FIELD_NUMBER: _ClassVar[int]
    pageSize: int
    bookmark: str
    def __init__(self, pageSize: _Optional[int] = ..., bookmark: _Optional[str] = ...) -> None: ...

class GetHistoryForKey(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: str
    def __init__(self, key: _Optional[str] = ...) -> None: ...

class QueryStateNext(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class QueryStateClose(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class QueryResultBytes(_message.Message):
    __slots__ = ("resultBytes",)
    RESULTBYTES_FIELD_NUMBER: _ClassVar[int]
    resultBytes: bytes
    def __init__(self, resultBytes: _Optional[bytes] = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("results", "has_more", "id", "metadata")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[QueryResultBytes]
    has_more: bool
    id: str
    metadata: bytes
    def __init__(self, results: _Optional[_Iterable[_Union[QueryResultBytes, _Mapping]]] = ..., has_more: _Optional[bool] = ..., id: _Optional[str] = ..., metadata: _Optional[bytes] = ...) -> None: ...

class QueryResponseMetadata(_message.Message):
    __slots__ = ("fetched_records_count", "bookmark")
    FETCHED_RECORDS_COUNT_FIELD_NUMBER: _ClassVar[int]
    BOOKMARK_FIELD_NUMBER: _ClassVar[int]
    fetched_records_count: int
    bookmark: str
    def __init__(self, fetched_records_count: _Optional[int] = ..., bookmark: _Optional[str] = ...) -> None: ...

class StateMetadata(_message.Message):
    __slots__ = ("metakey", "value")
    METAKEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    metakey: str
    value: bytes
    def __init__(self, metakey: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class StateMetadataResult(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[StateMetadata]
    def __init__(self, entries: _Optional[_Iterable[_Union[StateMetadata, _Mapping]]] = ...) -> None: ...
