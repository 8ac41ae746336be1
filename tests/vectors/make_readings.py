"""Make `readings.json`: the signed readings that firmware, gateway and contract agree on.

    .venv/bin/python -m tests.vectors.make_readings

Keys are fixed and the nonces follow RFC 6979, so running it again changes nothing; a test says so.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaincode.energy.oracle.readings import REGISTER_WH_MAX, attested_message, signed_message
from chaincode.energy.oracle.records import MeterReading
from gateway.mqtt.reading import encode_reading, key_id, shared_key_id
from ledger.crypto.signing import CURVE_ORDER, to_low_s

PATH = Path(__file__).parent / "readings.json"
SHARED_KEY = hashlib.sha256(b"a meter of tier A in a test").digest()
METER_KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
GATEWAY_KEY = ec.derive_private_key(0xA77E57, ec.SECP256R1())
DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)

VALUES = {
    "the first of a meter": (1, 1_767_225_600_000, 0, 0, "measured"),
    "a quarter of an hour later": (2, 1_767_226_500_000, 120, 0, "measured"),
    "a sensor was saturated": (3, 1_767_227_400_000, 250, 40, "estimated"),
    "the highest registers": (4, 1_767_228_300_000, REGISTER_WH_MAX, REGISTER_WH_MAX, "measured"),
}


def signature(key: ec.EllipticCurvePrivateKey, line: bytes) -> str:
    """Base64 of the deterministic low-S signature."""
    return base64.b64encode(to_low_s(key.sign(line, DETERMINISTIC))).decode("ascii")


def hmac_of(line: bytes) -> str:
    """Base64 of the HMAC a meter of tier A sends."""
    return base64.b64encode(hmac.digest(SHARED_KEY, line, "sha256")).decode("ascii")


def point(key: ec.EllipticCurvePrivateKey) -> str:
    """Uncompressed point in hex."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()


def readings() -> list[dict[str, Any]]:
    """Every reading as each tier signs it, and as the gateway attests tier A."""
    made = []
    for name, values in VALUES.items():
        for tier, meter_id in (("A", "meter-a"), ("B", "meter-b")):
            unsigned = MeterReading(meter_id, *values, signature="")
            line = signed_message(unsigned)
            is_shared = tier == "A"
            sig = hmac_of(line) if is_shared else signature(METER_KEY, line)
            kid = shared_key_id(SHARED_KEY) if is_shared else key_id(METER_KEY.public_key())
            entry = {
                "name": name,
                "tier": tier,
                "reading": {k: v for k, v in asdict(unsigned).items() if k != "signature"},
                "line": line.decode(),
                "sig": sig,
                "message": encode_reading(replace(unsigned, signature=sig), kid).decode(),
            }
            if is_shared:
                attested = attested_message(unsigned)
                entry |= {
                    "attested_line": attested.decode(),
                    "attested_sig": signature(GATEWAY_KEY, attested),
                }
            made.append(entry)
    return made


def forgeries() -> list[dict[str, Any]]:
    """Messages nobody may accept: one thing changed in a good one of tier B."""
    good = next(entry for entry in readings() if entry["tier"] == "B")
    message = json.loads(good["message"])
    r, s = decode_dss_signature(base64.b64decode(good["sig"]))
    other_half = base64.b64encode(encode_dss_signature(r, CURVE_ORDER - s)).decode()
    raw = bytearray(base64.b64decode(good["sig"]))
    raw[-1] ^= 1
    changes = {
        "one byte of the signature": {"sig": base64.b64encode(raw).decode()},
        "the other half of the curve": {"sig": other_half},
        "an HMAC for a signature": {"sig": hmac_of(good["line"].encode())},
        "the import register": {"imp_wh": 1},
        "the export register": {"exp_wh": 1},
        "the number": {"seq": 9},
        "the time": {"t_end": message["t_end"] + 1},
        "the quality": {"q": "estimated"},
        "the meter": {"m": "meter-a"},
    }
    return [
        {"name": name, "message": json.dumps(message | change, separators=(",", ":"))}
        for name, change in changes.items()
    ]


def content() -> str:
    """The whole file."""
    keys = {
        "A": {"meter": "meter-a", "key": SHARED_KEY.hex(), "kid": shared_key_id(SHARED_KEY)},
        "B": {
            "meter": "meter-b",
            "private_key": f"{0xC0FFEE:064x}",
            "public_point": point(METER_KEY),
            "kid": key_id(METER_KEY.public_key()),
        },
        "attestation": {
            "private_key": f"{0xA77E57:064x}",
            "public_point": point(GATEWAY_KEY),
        },
    }
    parts = {"keys": keys, "readings": readings(), "forgeries": forgeries()}
    return json.dumps(parts, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(content(), encoding="utf-8")
