"""A bidirectional meter at a home's grid connection, driven by a profile instead of a current.

Per hour it adds the surplus of PV over load to its export register or the deficit to its import
register, as a meter that nets its phases does. It has its own P-256 key, like a real device.
"""

import base64
from dataclasses import replace

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from gateway.mqtt.reading import encode_reading, key_id
from ledger.crypto.signing import Signer, generate_key


class VirtualMeter:
    """Registers only grow and `seq` counts every reading, as on the device."""

    def __init__(
        self, meter_id: str, private_key: ec.EllipticCurvePrivateKey | None = None
    ) -> None:
        self.meter_id = meter_id
        self.private_key = private_key or generate_key()
        self._signer = Signer(self.private_key)
        self._key_id = key_id(self._signer.public_key)
        self._seq = 0
        self._import_wh = 0
        self._export_wh = 0

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The device's key."""
        return self._signer.public_key

    @property
    def public_key_pem(self) -> str:
        """What is registered on the ledger."""
        return self._signer.public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode("ascii")

    def run_hour(self, *, load_wh: int, pv_wh: int) -> None:
        """Let one hour of energy flow."""
        net_wh = pv_wh - load_wh
        if net_wh >= 0:
            self._export_wh += net_wh
        else:
            self._import_wh -= net_wh

    def read(self, t_end_ms: int) -> MeterReading:
        """Sign the registers as they stand at `t_end_ms`."""
        self._seq += 1
        unsigned = MeterReading(
            meter_id=self.meter_id,
            seq=self._seq,
            t_end_ms=t_end_ms,
            import_wh=self._import_wh,
            export_wh=self._export_wh,
            quality="measured",
            signature="",
        )
        signature = self._signer.sign(signed_message(unsigned))
        return replace(unsigned, signature=base64.b64encode(signature).decode("ascii"))

    def message(self, reading: MeterReading) -> bytes:
        """The reading as published over MQTT."""
        return encode_reading(reading, self._key_id)
