"""What one validator process is told: a JSON file written by `gridledger network init`.

Paths are absolute or relative to the file. Keys are files of mode 0600; the file itself holds no
secret.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.errors import NodeFault
from ledger.node.process.disk_watch import SpaceLimits
from ledger.node.settings.chaincode_streams import (
    STREAM_SETTINGS_FILE,
    StreamSettings,
    read_stream_settings,
)

CONFIG_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ValidatorAddress:
    """Where another validator listens."""

    consenter_id: int
    address: str


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Everything a peer process needs to start."""

    member: str
    mspid: str
    consenter_id: int
    channel_id: str
    listen: str
    """host:port for clients (TLS, server side)."""
    validator_listen: str
    """host:port for the other validators (mutual TLS)."""
    tls_certificate: Path
    tls_key: Path
    tls_ca_bundle: Path
    identity_certificate: Path
    identity_key: Path
    genesis: Path
    data_dir: Path
    packages_dir: Path
    """Installed chaincode packages."""
    validators: tuple[ValidatorAddress, ...]
    space: SpaceLimits = field(default_factory=SpaceLimits)
    chaincode_streams: StreamSettings = field(default_factory=StreamSettings)


def load_config(path: Path) -> NodeConfig:
    """Read a peer's configuration; raises NodeFault naming the field that is wrong."""
    if path.stat().st_size > CONFIG_BYTES_MAX:
        raise NodeFault(f"{path} is larger than {CONFIG_BYTES_MAX} bytes")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return _config(raw, path.parent)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NodeFault(f"{path}: missing or wrong setting: {error}") from error


def _config(raw: dict[str, Any], folder: Path) -> NodeConfig:
    def file(*keys: str) -> Path:
        value: Any = raw
        for key in keys:
            value = value[key]
        return folder / str(value)

    return NodeConfig(
        member=str(raw["member"]),
        mspid=str(raw["mspid"]),
        consenter_id=int(raw["consenter_id"]),
        channel_id=str(raw["channel_id"]),
        listen=str(raw["listen"]),
        validator_listen=str(raw["validator_listen"]),
        tls_certificate=file("tls", "certificate"),
        tls_key=file("tls", "key"),
        tls_ca_bundle=file("tls", "ca_bundle"),
        identity_certificate=file("identity", "certificate"),
        identity_key=file("identity", "key"),
        genesis=file("genesis"),
        data_dir=file("data_dir"),
        packages_dir=file("packages_dir"),
        validators=tuple(
            ValidatorAddress(int(v["consenter_id"]), str(v["address"])) for v in raw["validators"]
        ),
        space=SpaceLimits(**raw.get("space", {})),
        chaincode_streams=read_stream_settings(folder / STREAM_SETTINGS_FILE),
    )
