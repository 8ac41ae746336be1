"""What the registry keeps in the world state. No personal data: only a salted hash of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

TIERS = ("A", "B", "C")
"""How a device signs: A a secret it shares with the gateway, which attests with an own key; B an
own P-256 key; C the same in a secure element. On the ledger a key signed every reading; the tier
says whose key that is."""
ATTESTED_TIER = "A"


class Status(StrEnum):
    """Whether a participant, source or meter may take part; the last two are for participants."""

    PENDING = "pending"
    APPROVED = "approved"
    SUSPENDED = "suspended"
    EXITED = "exited"


DEVICE, AGENT = "device", "agent"
"""Kinds of signers: a device acts for its household, an agent carries out its standing orders, or
orders within limits."""


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """What an agent's key may order, and until when (ms UTC, the end not included).

    Energy counts by hour and by day of delivery (UTC). `offer_price_min_utoken_per_kwh` None: it
    may offer nothing; a bid price of 0: it may bid nothing.
    """

    bid_price_max_utoken_per_kwh: int
    offer_price_min_utoken_per_kwh: int | None
    hour_wh_max: int
    day_wh_max: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that may sign for a participant. Times are ms UTC.

    Only a recovery has times that bind: it acts from `from_ms` on, and the keys it replaces
    (`replaced_by` is its fingerprint) act before their `until_ms`. A client sets the time of its
    transactions within a quarter of an hour, so a revoked key ends by `revoked_ms` being there,
    whatever the time, and a key that acts at once has `from_ms` 0.
    """

    kind: str
    added_ms: int
    from_ms: int = 0
    until_ms: int | None = None
    replaced_by: str = ""
    revoked_ms: int | None = None
    limits: AgentLimits | None = None
    """Of an agent that may order itself."""

    def is_active(self, now_ms: int) -> bool:
        """Whether it may sign at this instant."""
        return self.from_ms <= now_ms and not self.has_ended(now_ms)

    def has_ended(self, now_ms: int) -> bool:
        """Whether it will never sign again."""
        if self.revoked_ms is not None:
            return True
        if self.limits is not None and self.limits.until_ms <= now_ms:
            return True
        return self.until_ms is not None and self.until_ms <= now_ms


@dataclass(frozen=True, slots=True)
class Participant:
    """A grid connection that may trade. `kind` is household unless it is, say, a street light.

    `meter_ids` are the meters at its grid connection now. `consented_ms` is when it agreed to
    the terms with the hash `terms_hash`; None: not, or withdrawn. A lower `priority_class` is
    served earlier where a community gives priority; 0 is the highest.

    The contract: from when until when it trades (ms UTC, the end not included), the power of
    its connection, how many orders it may place; None is no limit. `contract_id` is the
    transaction that set it. `incentive_utoken_per_kwh` was promised to it, for statements.

    `signers` are the keys that may sign for it, by fingerprint, as members of `Signer`. Without
    any, every certificate of its member with its IDgrid may.
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
    signers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def signer(self, fingerprint: str) -> Signer | None:
        """What is recorded of a key; None if it was never named."""
        found = self.signers.get(fingerprint)
        return signer_from(found) if found is not None else None

    def may_sign(self, fingerprint: str, now_ms: int, *, as_agent: bool = False) -> bool:
        """Whether a key acts for it now. `as_agent`: an agent may do this too."""
        if not self.signers:
            return True
        found = self.signer(fingerprint)
        if found is None or not found.is_active(now_ms):
            return False
        return found.kind == DEVICE or as_agent


def signer_from(members: Mapping[str, Any]) -> Signer:
    """A signer from its members, as a participant's record has them."""
    limits = members.get("limits")
    return Signer(**dict(members) | {"limits": AgentLimits(**limits) if limits else None})


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
    """A device's token: its owner, and the P-256 public key its readings are signed with.

    `kind` is meter, battery or plug. A meter without `res_id` is at the grid connection, and
    settlement uses it; any other device is recorded for information. `transfer_to` is to
    whom the owner wants to give it (empty: nobody); `owned_since_ms` is when it was last given.
    `tier` is how it signs (`TIERS`); the key of tier A is the attesting gateway's.
    `approved_res_id` is the source at which the grid operator saw it.
    """

    meter_id: str
    owner_idgrid: str
    public_key_pem: str
    key_fingerprint: str
    res_id: str | None
    status: str
    kind: str = "meter"
    transfer_to: str = ""
    owned_since_ms: int = 0
    tier: str = "B"
    approved_res_id: str = ""

    @property
    def vouches_for(self) -> str:
        """The source it measures by the grid operator's word, empty if it measures none."""
        is_seen = self.status == Status.APPROVED and self.res_id == self.approved_res_id
        return self.approved_res_id if is_seen else ""

    @property
    def is_at_connection(self) -> bool:
        """Whether it measures what its owner's connection imports and exports."""
        return self.kind == "meter" and self.res_id is None


@dataclass(frozen=True, slots=True)
class Connection:
    """Index entry: this meter measures the grid connection of this participant.

    From when until when (ms UTC, the end not included; None: still).
    """

    idgrid: str
    meter_id: str
    from_ms: int = 0
    until_ms: int | None = None

    def measures(self, delivery_start_ms: int) -> bool:
        """Whether it counts for a delivery that starts at this instant.

        A delivery belongs to who owned the meter when it began.
        """
        until = self.until_ms
        return self.from_ms <= delivery_start_ms and (until is None or delivery_start_ms < until)
