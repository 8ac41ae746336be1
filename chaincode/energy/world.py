"""What a contract function sees: typed records of the world state, and who is asking.

The only module of the energy contracts that touches the chaincode stub.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

from chaincode.energy import keys, records
from chaincode.energy.arrivals import ledger_positions
from chaincode.energy.community import PARTICIPANTS, STAFF, Caller, Role, Settings
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.records import Participant, Status

T = TypeVar("T")


class HistoryEntry(Protocol):
    """One past write of a key."""

    @property
    def tx_id(self) -> str: ...


class Stub(Protocol):
    """The part of the chaincode stub the energy contracts use."""

    @property
    def tx_id(self) -> str: ...

    def get_state(self, key: str) -> bytes | None: ...

    def put_state(self, key: str, value: bytes) -> None: ...

    def del_state(self, key: str) -> None: ...

    def get_state_by_range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]: ...

    def get_history_for_key(self, key: str) -> Iterator[HistoryEntry]: ...

    def set_event(self, name: str, payload: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class World:
    """One transaction's view. `now_ms` is the transaction's timestamp, set by the client.

    The timestamp is only used to refuse what comes too early or too late; what binds is the
    state of the listing on the ledger.
    """

    stub: Stub
    caller: Caller
    now_ms: int

    @property
    def tx_id(self) -> str:
        """Id of this transaction."""
        return self.stub.tx_id

    def find(self, kind: type[T], key: str) -> T | None:
        """The record under a key, None if there is none."""
        raw = self.stub.get_state(key)
        return records.decode(kind, raw) if raw else None

    def get(self, kind: type[T], key: str, missing: Refusal, name: str) -> T:
        """The record under a key; refuses with `missing` and `name` if there is none."""
        record = self.find(kind, key)
        if record is None:
            raise refused(missing, name)
        return record

    def put(self, key: str, record: object) -> None:
        """Write a record."""
        self.stub.put_state(key, records.encode(record))

    def delete(self, key: str) -> None:
        """Remove a key."""
        self.stub.del_state(key)

    def scan(
        self, kind: type[T], bounds: tuple[str, str], *, limit: int | None = None
    ) -> list[tuple[str, T]]:
        """Keys and records of a range in key order, at most `limit` of them."""
        found = self.stub.get_state_by_range(*bounds)
        return [(key, records.decode(kind, raw)) for key, raw in islice(found, limit)]

    def positions(self, listing_id: str, *, opened_by_tx: str) -> dict[str, int]:
        """Ledger position of every order of a listing, by transaction id."""
        history = self.stub.get_history_for_key(keys.arrivals(listing_id))
        return ledger_positions([entry.tx_id for entry in history], opened_by_tx=opened_by_tx)

    def announce(self, name: str, payload: dict[str, object]) -> None:
        """Attach the event of this transaction."""
        self.stub.set_event(name, records.canonical(payload))

    def require_role(self, allowed: frozenset[Role]) -> Role:
        """The caller's role if it is one of `allowed` and its member may issue it."""
        role = self.caller.role
        if role is None or role not in allowed:
            names = ", ".join(sorted(allowed))
            raise refused(Refusal.ROLE_NOT_ALLOWED, f"needs one of: {names}")
        if role in STAFF and not self.settings().may_issue(role, self.caller.mspid):
            raise refused(Refusal.ROLE_NOT_ALLOWED, f"{self.caller.mspid} may not issue {role}")
        return role

    def settings(self) -> Settings:
        """Settings of the community."""
        return self.find(Settings, keys.COMMUNITY) or Settings(role_members={})

    def participant(self, idgrid: str) -> Participant:
        """The registry record of an IDgrid."""
        key = keys.participant(idgrid)
        return self.get(Participant, key, Refusal.UNKNOWN_PARTICIPANT, idgrid)

    def trading_participant(self) -> Participant:
        """The caller as an approved participant."""
        self.require_role(PARTICIPANTS)
        idgrid = self.caller.idgrid
        if idgrid is None:
            raise refused(Refusal.NOT_REGISTERED, "the certificate names no IDgrid")
        found = self.find(Participant, keys.participant(idgrid))
        if found is None:
            raise refused(Refusal.NOT_REGISTERED, idgrid)
        if found.mspid != self.caller.mspid:
            raise refused(Refusal.WRONG_MEMBER, f"{idgrid} belongs to {found.mspid}")
        if found.status != Status.APPROVED:
            raise refused(Refusal.NOT_APPROVED, f"participant {idgrid}")
        return found

    def require_own_or_staff(self, idgrid: str) -> None:
        """Only the participant itself and staff may read this."""
        if self.caller.role in PARTICIPANTS and self.caller.idgrid == idgrid:
            owner = self.participant(idgrid)
            if owner.mspid != self.caller.mspid:
                raise refused(Refusal.WRONG_MEMBER, f"{idgrid} belongs to {owner.mspid}")
            return
        if self.caller.role in PARTICIPANTS:
            raise refused(Refusal.NOT_YOURS, idgrid)
        self.require_role(STAFF)
