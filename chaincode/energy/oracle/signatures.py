"""Whether a meter signed what is reported for it."""

import base64
import binascii

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.registry.records import Meter
from chaincode.shim.crypto import verify_p256


def is_signed_by(meter: Meter, reading: MeterReading) -> bool:
    """Whether the meter's registered key signed exactly this reading (base64 DER, low S)."""
    try:
        signature = base64.b64decode(reading.signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return verify_p256(meter.public_key_pem, signed_message(reading), signature)
