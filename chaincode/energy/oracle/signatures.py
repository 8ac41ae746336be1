"""Whether a meter signed what is reported for it."""

import base64
import binascii

from chaincode.energy.oracle.readings import attested_message, signed_message
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.registry.records import ATTESTED_TIER, Meter
from chaincode.shim.crypto import verify_p256


def is_signed_by(meter: Meter, reading: MeterReading) -> bool:
    """Whether the registered key signed exactly this reading (base64 DER, low S).

    The key is the meter's own, and of tier A that of the gateway that attests for it: what one
    of them signs is never good as the other's.
    """
    try:
        signature = base64.b64decode(reading.signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    message = attested_message if meter.tier == ATTESTED_TIER else signed_message
    return verify_p256(meter.public_key_pem, message(reading), signature)
