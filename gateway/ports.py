"""What the gateway needs of a ledger, named for the need; `gateway.ledger_access` provides it."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from chaincode.energy.oracle.records import MeterReading
from gateway.identity.issuing import Certified
from ledger.model.block import Block


class Ledger(Protocol):
    """One channel through one peer. Every call raises `gateway.errors.LedgerRefusal`."""

    channel_id: str

    async def endorse(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        """Collect endorsements; returns the envelope payload the client has to sign."""

    async def submit(self, tx_id: str, payload: bytes, signature: bytes) -> None:
        """Hand a signed transaction to ordering; returns when a quorum holds it."""

    async def evaluate(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        """Ask a contract with a signed proposal; its answer. Nothing is ordered."""

    async def height(self) -> int:
        """How many blocks the ledger has now."""

    def blocks(self, first_number: int) -> AsyncIterator[Block]:
        """Committed blocks from `first_number` on, without end."""


class Readings(Protocol):
    """Accepted readings of the meters; calls block."""

    @property
    def refused(self) -> Counter[str]:
        """Messages that were not taken, per meter."""

    def latest(self, meter_id: str) -> MeterReading | None:
        """The newest reading of a meter."""

    def until(self, meter_id: str, instant_ms: int) -> MeterReading | None:
        """The last reading whose period ended at or before an instant."""

    def before(self, meter_id: str, instant_ms: int) -> MeterReading | None:
        """The last reading whose period ended before an instant."""

    def between(self, meter_id: str, from_ms: int, to_ms: int, limit: int) -> list[MeterReading]:
        """Readings with from_ms < t_end <= to_ms in the order of time, the first `limit`."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a device last measured; None for a quantity it does not measure."""

    device_id: str
    at_ms: int
    voltage_mv: int | None = None
    power_w: int | None = None
    """Positive is taken from the grid or charged, negative is fed in, produced or discharged."""


@dataclass(frozen=True, slots=True)
class ApplianceEnergy:
    """Energy of one plug in a period. `name` is the household's own word for it."""

    device_id: str
    name: str
    energy_wh: int


class Measurements(Protocol):
    """Momentary values and appliances of a household's devices. The caller checked who asks."""

    def latest(self, device_id: str) -> Measured | None:
        """The newest measurement of a meter, source, battery or plug."""

    def appliances(
        self, owner_idgrid: str, from_ms: int, until_ms: int
    ) -> Sequence[ApplianceEnergy]:
        """Energy per plug of a household in a period."""


class NothingMeasured:
    """Of a community whose devices tell nothing but their registers."""

    def latest(self, device_id: str) -> Measured | None:
        """See `Measurements`."""

    def appliances(
        self, owner_idgrid: str, from_ms: int, until_ms: int
    ) -> Sequence[ApplianceEnergy]:
        """See `Measurements`."""
        return ()


class CertificateIssuer(Protocol):
    """A member's authority, for participants; raises `gateway.errors.RequestRefused`."""

    def certify(self, *, idgrid: str, role: str, request_pem: str) -> Certified:
        """A certificate for the key in a signing request (PKCS #10, PEM); blocks."""
