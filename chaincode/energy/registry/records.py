"""What the registry keeps in the world state. No personal data: only a salted hash of it."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Whether a participant, source or meter may take part."""

    PENDING = "pending"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class Participant:
    """A grid connection that may trade. `kind` is household unless it is, say, a street light."""

    idgrid: str
    role: str
    kind: str
    mspid: str
    personal_data_hash: str
    status: str


@dataclass(frozen=True, slots=True)
class Res:
    """A renewable energy source and its owner."""

    res_id: str
    owner_idgrid: str
    source_type: str
    capacity_w: int
    status: str


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter, its owner, and the P-256 public key its readings are signed with.

    `res_id` is None for the meter at the grid connection, which settlement uses; a meter with
    a `res_id` measures one source behind it and is recorded for information.
    """

    meter_id: str
    owner_idgrid: str
    public_key_pem: str
    key_fingerprint: str
    res_id: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Connection:
    """Index entry: this meter measures the grid connection of this participant."""

    idgrid: str
    meter_id: str
