"""How much of what a connection fed in has an origin: a pure rule.

Energy from a battery may be anybody's, so it has none. Where a connection has storage, only what
meters of its generators measured counts; elsewhere all it fed in does.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chaincode.energy.oracle.readings import energy_between, signed_message
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.origin.records import Evidence
from chaincode.energy.registry.records import Res

STORAGE = frozenset({"battery", "ev"})
NO_GENERATOR = "no approved generator"
STORAGE_UNMETERED = "storage, and no meter of a generator"
NOT_MEASURED = "the connection, or a generator beside storage, was not measured throughout"


@dataclass(frozen=True, slots=True)
class Origin:
    """Energy with an origin in Wh, its sources, and the readings that vouch for it."""

    energy_wh: int
    sources: list[Res]
    evidence: list[Evidence]


Ends = tuple[MeterReading, MeterReading]
"""A meter's readings at both ends of a period."""


def origin_of(
    sources: Sequence[Res],
    connection: Sequence[Ends],
    generators: Sequence[Ends],
    measured: Collection[str],
) -> Origin | str:
    """The origin of what a connection fed in, or why it has none.

    `sources`: its approved sources; `connection`, `generators`: readings of its meters;
    `measured`: the generators' meters that measured all of the period.
    """
    generating = generators_of(sources)
    if not generating:
        return NO_GENERATOR
    if not connection:
        return NOT_MEASURED
    evidence = [evidence_of(ends) for ends in connection]
    energy_wh = sum(one.exported_wh for one in evidence)
    if len(generating) < len(sources):
        if not generators:
            return STORAGE_UNMETERED
        if any(start.meter_id not in measured for start, _ in generators):
            return NOT_MEASURED
        produced = [evidence_of(ends) for ends in generators]
        energy_wh = min(energy_wh, sum(one.exported_wh for one in produced))
        evidence += produced
    return Origin(energy_wh, generating, evidence)


def generators_of(sources: Sequence[Res]) -> list[Res]:
    """The sources that make energy; storage only gives back."""
    return [source for source in sources if source.source_type not in STORAGE]


def evidence_of(ends: Ends) -> Evidence:
    """A meter's period with the hashes of the bytes it signed."""
    start, end = ends
    return Evidence(
        meter_id=start.meter_id,
        from_seq=start.seq,
        from_hash=reading_hash(start),
        to_seq=end.seq,
        to_hash=reading_hash(end),
        exported_wh=energy_between(start, end).exported_wh,
    )


def reading_hash(reading: MeterReading) -> str:
    """SHA-256, in hex, of what the meter signed."""
    return hashlib.sha256(signed_message(reading)).hexdigest()
