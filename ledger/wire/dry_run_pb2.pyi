from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DryRunArgs(_message.Message):
    __slots__ = ("name", "version", "package_id", "calls")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PACKAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    package_id: str
    calls: _containers.RepeatedCompositeFieldContainer[DryRunCall]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., package_id: _Optional[str] = ..., calls: _Optional[_Iterable[_Union[DryRunCall, _Mapping]]] = ...) -> None: ...

class DryRunCall(_message.Message):
    __slots__ = ("args",)
    ARGS_FIELD_NUMBER: _ClassVar[int]
    args: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, args: _Optional[_Iterable[bytes]] = ...) -> None: ...

class DryRunResult(_message.Message):
    __slots__ = ("height", "answers")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    height: int
    answers: _containers.RepeatedCompositeFieldContainer[DryRunAnswer]
    def __init__(self, height: _Optional[int] = ..., answers: _Optional[_Iterable[_Union[DryRunAnswer, _Mapping]]] = ...) -> None: ...

class DryRunAnswer(_message.Message):
    __slots__ = ("status", "message", "payload", "keys_read", "keys_written")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    KEYS_READ_FIELD_NUMBER: _ClassVar[int]
    KEYS_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    status: int
    message: str
    payload: bytes
    keys_read: int
    keys_written: int
    def __init__(self, status: _Optional[int] = ..., message: _Optional[str] = ..., payload: _Optional[bytes] = ..., keys_read: _Optional[int] = ..., keys_written: _Optional[int] = ...) -> None: ...
