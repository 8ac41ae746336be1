"""Public keys of the meters on the ledger, for checking readings as they come."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from chaincode.energy.registry.records import Meter, Status
from gateway.community import Community


class LedgerMeterKeys:
    """Keys of approved meters, parsed once."""

    def __init__(self, community: Community) -> None:
        self._community = community
        self._parsed: dict[str, ec.EllipticCurvePublicKey] = {}

    def public_key(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        """See `gateway.mqtt.ingest.MeterKeys`."""
        meter = self._community.meter(meter_id)
        if meter is None or meter.status != Status.APPROVED:
            return None
        return self._key(meter)

    def _key(self, meter: Meter) -> ec.EllipticCurvePublicKey:
        known = self._parsed.get(meter.key_fingerprint)
        if known is None:
            loaded = load_pem_public_key(meter.public_key_pem.encode("ascii"))
            assert isinstance(loaded, ec.EllipticCurvePublicKey), "the contract checked it"
            known = self._parsed[meter.key_fingerprint] = loaded
        return known
