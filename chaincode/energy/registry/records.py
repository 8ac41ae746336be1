"""What the registry keeps in the world state. No personal data: only a salted hash of it."""

from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """Whether a participant, source or meter may take part; the last two are for participants."""

    PENDING = "pending"
    APPROVED = "approved"
    SUSPENDED = "suspended"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Participant:
    """A grid connection that may trade. `kind` is household unless it is, say, a street light.

    `meter_ids` are the meters at its grid connection now. `consented_ms` is when it agreed to
    the terms with the hash `terms_hash`; None: not, or withdrawn. A lower `priority_class` is
    served earlier where a community gives priority; 0 is the highest.

    The contract: from when until when it trades (ms UTC, the end not included), the power of
    its connection, how many orders it may place; None is no limit. `contract_id` is the
    transaction that set it. `incentive_utoken_per_kwh` was promised to it, for statements.
    """

    idgrid: str
    role: str
    kind: str
    mspid: str
    personal_data_hash: str
    status: str
    status_reason: str = ""
    meter_ids: list[str] = field(default_factory=list)
    consented_ms: int | None = None
    terms_hash: str = ""
    priority_class: int = 0
    contract_id: str = ""
    contract_from_ms: int | None = None
    contract_until_ms: int | None = None
    contract_capacity_w: int | None = None
    contract_orders_max: int | None = None
    incentive_utoken_per_kwh: int = 0


@dataclass(frozen=True, slots=True)
class ContractUse:
    """How many orders a participant placed under a contract that limits them."""

    idgrid: str
    contract_id: str
    orders: int


@dataclass(frozen=True, slots=True)
class Res:
    """A renewable energy source and its owner.

    `authorised_ms` is when its owner allowed it to be traded; None: not, or no longer.
    """

    res_id: str
    owner_idgrid: str
    source_type: str
    capacity_w: int
    status: str
    authorised_ms: int | None = None


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
    kind: str = "meter"


@dataclass(frozen=True, slots=True)
class Connection:
    """Index entry: this meter measures the grid connection of this participant."""

    idgrid: str
    meter_id: str
