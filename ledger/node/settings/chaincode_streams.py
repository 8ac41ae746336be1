"""`chaincode_streams.json` beside peer.json: which chaincodes may dial in, and streams' limits.

The operator writes it; no command of the network does. Without it nobody may dial in and the
limits are the usual ones.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.endorsement.limits import StreamLimits
from ledger.errors import InvalidMessage, NodeFault
from ledger.node.settings.key_files import read_bounded
from ledger.rpc.chaincode_support import AllowedChaincode, certificate_fingerprint

STREAM_SETTINGS_FILE = "chaincode_streams.json"
SETTINGS_BYTES_MAX = 1024 * 1024
_NAMES = {"listen", "client_ca", "allowed", "limits"}


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How chaincodes that others run are met."""

    listen: str = ""
    """host:port where chaincodes dial in (mutual TLS); empty: nowhere."""
    client_ca_pem: bytes = b""
    """Authorities of the certificates they show."""
    allowed: tuple[AllowedChaincode, ...] = ()
    limits: StreamLimits = field(default_factory=StreamLimits)


def read_stream_settings(path: Path) -> StreamSettings:
    """Read the file if it is there; raises NodeFault naming what is wrong with it."""
    try:
        if path.stat().st_size > SETTINGS_BYTES_MAX:
            raise NodeFault(f"{path} is larger than {SETTINGS_BYTES_MAX} bytes")
        return _settings(json.loads(path.read_text(encoding="utf-8")), path.parent)
    except FileNotFoundError as error:
        if error.filename == str(path):
            return StreamSettings()
        raise NodeFault(f"{path}: there is no {error.filename}") from error
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, OSError) as error:
        raise NodeFault(f"{path}: missing or wrong setting: {error}") from error
    except InvalidMessage as error:
        raise NodeFault(f"{path}: {error}") from error


def _settings(raw: Any, folder: Path) -> StreamSettings:
    if not isinstance(raw, dict):
        raise TypeError("it is no JSON object")
    unknown = sorted(raw.keys() - _NAMES)
    if unknown:
        raise ValueError(f"there is no setting {unknown[0]!r}")
    allowed = tuple(_allowed(entry, folder) for entry in raw.get("allowed", []))
    if len({entry.chaincode_id for entry in allowed}) != len(allowed):
        raise ValueError("a chaincode is allowed twice")
    listen = str(raw.get("listen", ""))
    return StreamSettings(
        listen=listen,
        client_ca_pem=read_bounded(folder / str(raw["client_ca"])) if listen else b"",
        allowed=allowed,
        limits=_limits(raw.get("limits", {})),
    )


def _allowed(raw: dict[str, Any], folder: Path) -> AllowedChaincode:
    pem = read_bounded(folder / str(raw["certificate"]))
    return AllowedChaincode(str(raw["id"]), certificate_fingerprint(pem))


def _limits(raw: dict[str, Any]) -> StreamLimits:
    for name, value in raw.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"limit {name} is no whole number")
    return StreamLimits(**raw)
