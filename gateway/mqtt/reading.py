"""A meter reading on the wire: JSON on `rec/<community>/<meter>/reading`.

    {"v":1,"m":"meter","seq":7,"t_end":1470085200000,"imp_wh":1200,"exp_wh":340,
     "q":"measured","kid":"3f1c…","sig":"MEUC…"}

Registers are cumulative, so a lost message loses no energy. `sig` is base64 of a DER, low-S
ECDSA P-256 signature over `chaincode.energy.oracle.readings.signed_message`; the contract checks
it too. `kid` is the first 16 hex digits of SHA-256 over the public key (SubjectPublicKeyInfo,
DER).
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chaincode.energy.hours import TIME_MS_MAX
from chaincode.energy.oracle.readings import (
    QUALITIES,
    REGISTER_WH_MAX,
    SEQ_MAX,
    attested_message,
    signed_message,
)
from chaincode.energy.oracle.records import MeterReading
from gateway.mqtt.topics import NAME
from gateway.strict_json import BadJson, parse_strictly
from ledger.crypto.hashing import sha256
from ledger.crypto.signing import verify_signature
from ledger.errors import InvalidMessage

FORMAT_VERSION = 1
MESSAGE_BYTES_MAX = 1_024
KEY_ID_HEX_DIGITS = 16
_FIELDS = frozenset(("v", "m", "seq", "t_end", "imp_wh", "exp_wh", "q", "kid", "sig"))


class BadReading(Exception):  # noqa: N818 - the device's fault, counted against it
    """A message that is not a reading, or not one this device may send."""


def whole_number(fields: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """A member of a device's message, from low to high; raises `BadReading`."""
    value = fields[name]
    if type(value) is not int or not low <= value <= high:
        raise BadReading(f"{name} is a whole number from {low} to {high}")
    return value


def encode_reading(reading: MeterReading, key_id: str) -> bytes:
    """The JSON message of a signed reading."""
    return json.dumps(
        {
            "v": FORMAT_VERSION,
            "m": reading.meter_id,
            "seq": reading.seq,
            "t_end": reading.t_end_ms,
            "imp_wh": reading.import_wh,
            "exp_wh": reading.export_wh,
            "q": reading.quality,
            "kid": key_id,
            "sig": reading.signature,
        },
        separators=(",", ":"),
    ).encode("ascii")


def decode_reading(raw: bytes) -> MeterReading:
    """The reading in a message; raises `BadReading` naming what is wrong."""
    return decode_message(raw)[0]


def decode_message(raw: bytes) -> tuple[MeterReading, str]:
    """The reading and the short name of the key it says it is signed with."""
    if len(raw) > MESSAGE_BYTES_MAX:
        raise BadReading(f"more than {MESSAGE_BYTES_MAX} bytes")
    try:
        message = parse_strictly(raw)
    except BadJson as error:
        raise BadReading(str(error)) from error
    if not isinstance(message, dict) or set(message) != _FIELDS:
        raise BadReading(f"the fields are {', '.join(sorted(_FIELDS))}, all of them and no other")
    if message["v"] != FORMAT_VERSION:
        raise BadReading(f"format version {message['v']!r} is unknown")
    reading = MeterReading(
        meter_id=_name(message["m"]),
        seq=whole_number(message, "seq", 0, SEQ_MAX),
        t_end_ms=whole_number(message, "t_end", 0, TIME_MS_MAX),
        import_wh=whole_number(message, "imp_wh", 0, REGISTER_WH_MAX),
        export_wh=whole_number(message, "exp_wh", 0, REGISTER_WH_MAX),
        quality=_quality(message["q"]),
        signature=_base64(message["sig"]),
    )
    return reading, str(message["kid"])


def key_id(public_key: ec.EllipticCurvePublicKey) -> str:
    """Short name of a device key."""
    spki = public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return sha256(spki).hex()[:KEY_ID_HEX_DIGITS]


def shared_key_id(key: bytes) -> str:
    """Short name of the secret that a device of tier A shares with its gateway."""
    return sha256(b"gridledger-key-1|" + key).hex()[:KEY_ID_HEX_DIGITS]


def check_signature(reading: MeterReading, public_key: ec.EllipticCurvePublicKey) -> None:
    """Raises `BadReading` unless the meter's own key signed exactly these values."""
    try:
        verify_signature(public_key, signed_message(reading), base64.b64decode(reading.signature))
    except InvalidMessage as error:
        raise BadReading(f"signature: {error.detail}") from error


def is_signed(reading: MeterReading, public_key: ec.EllipticCurvePublicKey) -> bool:
    """Whether a stored reading has the signature it was stored with: its meter's, or attested."""
    signature = base64.b64decode(reading.signature)
    for line in (signed_message(reading), attested_message(reading)):
        try:
            verify_signature(public_key, line, signature)
        except InvalidMessage:
            continue
        return True
    return False


def _name(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise BadReading("m is a meter's name: letters, digits, - and _")
    return value


def _quality(value: object) -> str:
    if not isinstance(value, str) or value not in QUALITIES:
        raise BadReading(f"q is one of {', '.join(QUALITIES)}")
    return value


def _base64(value: object) -> str:
    """The one text that stands for these bytes; unused bits of the last letter are zero."""
    try:
        content = base64.b64decode(str(value), validate=True)
    except ValueError as error:
        raise BadReading("sig is not base64") from error
    if base64.b64encode(content).decode("ascii") != value:
        raise BadReading("sig is not base64 in its one form")
    return str(value)
