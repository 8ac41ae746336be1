"""A message on a meter's `reading`: decoded, its meter known, its signature good; or why not.

Tier A is attested here: the gateway alone shares the device's secret, checks its HMAC and signs
with an own key what goes on (docs/mqtt.md).
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from chaincode.energy.oracle.readings import attested_message, signed_message
from chaincode.energy.oracle.records import MeterReading
from gateway.hems.plausibility import Doubt
from gateway.hems.series import Arrival
from gateway.mqtt.reading import (
    BadReading,
    check_signature,
    decode_message,
    key_id,
    shared_key_id,
)
from gateway.mqtt.topics import Topic
from ledger.crypto.signing import Signer


class MeterKeys(Protocol):
    """Public keys of the meters registered on the ledger."""

    def public_key(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        """The key of a meter; `None` for a meter nobody registered."""


@dataclass(frozen=True, slots=True)
class Attesting:
    """The gateway's key, and the secrets of the devices it attests for (32 bytes each)."""

    signer: Signer
    secrets: Mapping[str, bytes] = field(repr=False)

    def attests_by(self, key: ec.EllipticCurvePublicKey) -> bool:
        """Whether this is the gateway's key, which the ledger has for meters of tier A."""
        return key_id(key) == key_id(self.signer.public_key)


class ReadingCheck:
    """Everything that can be said of a reading without knowing the ones before it."""

    def __init__(self, keys: MeterKeys, attesting: Attesting | None = None) -> None:
        self._keys = keys
        self._attesting = attesting

    def arrival(self, topic: Topic, raw: bytes) -> Arrival:
        """The message with its reading, or with the doubt about it."""
        try:
            reading, kid = decode_message(raw)
        except BadReading as error:
            return Arrival(topic.meter, raw, None, Doubt.MALFORMED, str(error))
        if reading.meter_id != topic.meter:
            detail = f"{topic.meter} speaks for {reading.meter_id}"
            return Arrival(topic.meter, raw, None, Doubt.FOREIGN_METER, detail)
        key = self._keys.public_key(reading.meter_id)
        if key is None:
            return Arrival(topic.meter, raw, None, Doubt.UNKNOWN_METER)
        signed = self._signed(reading, kid, key)
        doubt = None if signed else Doubt.BAD_SIGNATURE
        return Arrival(topic.meter, raw, signed, doubt)

    def _signed(
        self, reading: MeterReading, kid: str, key: ec.EllipticCurvePublicKey
    ) -> MeterReading | None:
        """The reading with a signature the ledger accepts, if the device made its own.

        The ledger says which tier a meter has: with a key of its own there, its old secret is good
        for nothing, whatever the settings still name.
        """
        attesting = self._attesting
        secret = attesting.secrets.get(reading.meter_id) if attesting else None
        if attesting is not None and secret is not None and attesting.attests_by(key):
            expected = hmac.digest(secret, signed_message(reading), "sha256")
            given = base64.b64decode(reading.signature)
            if kid != shared_key_id(secret) or not hmac.compare_digest(given, expected):
                return None
            attested = attesting.signer.sign(attested_message(reading))
            return replace(reading, signature=base64.b64encode(attested).decode("ascii"))
        if kid != key_id(key):
            return None
        try:
            check_signature(reading, key)
        except BadReading:
            return None
        return reading
