"""Files an operator writes, copies or damages: plans, settings of peers and gateways."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from gateway.settings import load_gateway_settings
from ledger.errors import NodeFault
from ledger.node.settings.chaincode_streams import read_stream_settings
from ledger.node.settings.config import CONFIG_BYTES_MAX, load_config
from network.plan import PLAN_BYTES_MAX, default_plan_text, load_plan
from network.plan_table import PlanError
from tests.fuzz.engine import Attempt, FuzzTarget, Shape

SETTINGS_BYTES_MAX = 64 * 1024


def _reading(load: Callable[[Path], object]) -> Callable[[], Attempt]:
    """The product reads files, so each input becomes one."""

    def prepare() -> Attempt:
        def attempt(raw: bytes) -> None:
            # The same name each time: it is part of what a refusal says.
            path = Path(tempfile.gettempdir()) / f"gridledger-fuzz-{os.getpid()}"
            path.write_bytes(raw)
            try:
                load(path)
            finally:
                path.unlink()

        return attempt

    return prepare


def _node_settings() -> list[bytes]:
    settings = {
        "member": "cooperative",
        "mspid": "CoopMSP",
        "consenter_id": 1,
        "channel_id": "energy",
        "listen": "127.0.0.1:7051",
        "validator_listen": "127.0.0.1:7151",
        "tls": {"certificate": "tls.pem", "key": "tls.key", "ca_bundle": "ca.pem"},
        "identity": {"certificate": "id.pem", "key": "id.key"},
        "genesis": "genesis.block",
        "data_dir": "data",
        "validators": [{"consenter_id": 2, "address": "127.0.0.1:7152"}],
        "packages_dir": "packages",
    }
    return [json.dumps(settings).encode(), json.dumps(settings, indent=1).encode()]


def _gateway_settings() -> list[bytes]:
    identity = {"mspid": "CoopMSP", "certificate": "/c.pem", "key": "/k.pem"}
    settings = {
        "host": "127.0.0.1",
        "port": 8080,
        "ledger": {
            "channel_id": "energy",
            "chaincode": "energy",
            "tls_ca": "/ca.pem",
            "peers": [{"mspid": "CoopMSP", "address": "127.0.0.1:7051"}],
        },
        "identity": identity,
        "community": {"id": "val", "name": "Val", "hour_ms": 1000, "utc_offset_minutes": 60},
        "mqtt": {"host": "h", "port": 1, "ca": "/ca", "username": "u", "token": "t"},
        "links": [{"token": "t", "idgrid": "I", "is_manager": False}],
    }
    return [json.dumps(settings).encode()]


def _chaincode_streams() -> list[bytes]:
    """Certificates are any file: they are read by readers with targets of their own."""
    settings = {
        "listen": "127.0.0.1:7052",
        "client_ca": "/dev/null",
        "allowed": [{"id": "market:1.0", "certificate": "/dev/null"}],
        "limits": {"in_flight_max": 1, "keepalive_ms": 60_000},
    }
    return [json.dumps(settings).encode(), b'{"limits": {"transaction_timeout_ms": 30000}}']


TARGETS = (
    FuzzTarget(
        "plan",
        "the plan of a network",
        lambda: [
            default_plan_text(
                name="test", data_dir="data", first_peer_port=7051, first_validator_port=7151
            ).encode()
        ],
        _reading(load_plan),
        PLAN_BYTES_MAX,
        allowed=(PlanError,),
        shape=Shape.TEXT,
        dictionary=("[", "]", "=", '"', "\n", "[[members]]", "[network]", "#"),
    ),
    FuzzTarget(
        "node-settings",
        "a peer's settings",
        _node_settings,
        _reading(load_config),
        min(CONFIG_BYTES_MAX, SETTINGS_BYTES_MAX),
        allowed=(NodeFault,),
        shape=Shape.TEXT,
    ),
    FuzzTarget(
        "chaincode-streams",
        "who may dial in to a peer",
        _chaincode_streams,
        _reading(read_stream_settings),
        SETTINGS_BYTES_MAX,
        allowed=(NodeFault,),
        shape=Shape.TEXT,
    ),
    FuzzTarget(
        "gateway-settings",
        "a gateway's settings",
        _gateway_settings,
        _reading(load_gateway_settings),
        SETTINGS_BYTES_MAX,
        allowed=(ValueError, KeyError, TypeError),
        shape=Shape.TEXT,
    ),
)
