"""What is on the wire according to message definitions: names, numbers, types, streams.

`python -m tests.follower.field_numbers` prints it for Fabric's official package, as JSON.
"""

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)


def official_files() -> list[FileDescriptor]:
    """Every file of fabric_protos."""
    package = importlib.import_module("fabric_protos")
    found = pkgutil.walk_packages(package.__path__, "fabric_protos.")
    names = [one.name for one in found if one.name.endswith("_pb2")]
    return [importlib.import_module(name).DESCRIPTOR for name in names]


def described(files: Iterable[FileDescriptor]) -> dict[str, Any]:
    """Messages, enums and services by full name."""
    told: dict[str, Any] = {}
    for file in files:
        definition = FileDescriptorProto()
        file.CopyToProto(definition)
        for message in definition.message_type:
            _tell_message(told, definition.package, message)
        for enum in definition.enum_type:
            _tell_enum(told, definition.package, enum)
        for service in definition.service:
            told[f"{definition.package}.{service.name}"] = {
                method.name: [
                    method.input_type,
                    method.output_type,
                    method.client_streaming,
                    method.server_streaming,
                ]
                for method in service.method
            }
    return told


def _tell_message(told: dict[str, Any], place: str, message: DescriptorProto) -> None:
    name = f"{place}.{message.name}"
    told[name] = {str(field.number): _field(field, message) for field in message.field}
    for nested in message.nested_type:
        _tell_message(told, name, nested)
    for enum in message.enum_type:
        _tell_enum(told, name, enum)


def _field(field: FieldDescriptorProto, message: DescriptorProto) -> list[Any]:
    is_repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
    return [field.name, field.type, is_repeated, field.type_name, oneof]


def _tell_enum(told: dict[str, Any], place: str, enum: EnumDescriptorProto) -> None:
    told[f"{place}.{enum.name}"] = {value.name: value.number for value in enum.value}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(described(official_files())))
