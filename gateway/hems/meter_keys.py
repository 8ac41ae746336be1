"""Public keys of the meters on the ledger, for checking readings as they come."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from chaincode.energy.registry.records import Meter, Status
from gateway.books.community import Community
from gateway.ledger_access.block_signal import BlockSignal

NAMES_KEPT_MAX = 10_000
"""Meters, and names that are none: then the memory is emptied and filled anew."""


class LedgerMeterKeys:
    """Keys of approved meters: looked up once, until a block changes a meter.

    A block costs one question, a reading none. No meter is ever removed from the ledger, so the
    newest block among their records tells of every change.
    """

    def __init__(self, community: Community, blocks: BlockSignal) -> None:
        self._community = community
        self._blocks = blocks
        self._known: dict[str, ec.EllipticCurvePublicKey | None] = {}
        self._height = -1
        self._changed_at = -1

    def public_key(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        """See `gateway.mqtt.reading_check.MeterKeys`."""
        self._forget_if_changed()
        if meter_id not in self._known:
            if len(self._known) >= NAMES_KEPT_MAX:
                self._known.clear()
            self._known[meter_id] = self._look_up(meter_id)
        return self._known[meter_id]

    def _forget_if_changed(self) -> None:
        """What is announced is in the read model: to look after it is to look late enough."""
        height = self._blocks.height
        if height == self._height:
            return
        changed_at = self._community.meters_changed_at()
        if changed_at != self._changed_at:
            self._known.clear()
        self._height, self._changed_at = height, changed_at

    def _look_up(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        meter = self._community.meter(meter_id)
        if meter is None or meter.status != Status.APPROVED:
            return None
        return _key(meter)


class ExpectedMeters:
    """Approved meters at connections, which should report; looked up anew after a block."""

    def __init__(self, community: Community, blocks: BlockSignal) -> None:
        self._community = community
        self._blocks = blocks
        self._names: tuple[str, ...] = ()
        self._height = -1

    def __call__(self) -> tuple[str, ...]:
        """Their names."""
        height = self._blocks.height
        if height != self._height:
            self._names = tuple(
                meter.meter_id
                for meter in self._community.meters()
                if meter.status == Status.APPROVED and meter.is_at_connection
            )
            self._height = height
        return self._names


def _key(meter: Meter) -> ec.EllipticCurvePublicKey:
    loaded = load_pem_public_key(meter.public_key_pem.encode("ascii"))
    assert isinstance(loaded, ec.EllipticCurvePublicKey), "the contract checked it"
    return loaded
