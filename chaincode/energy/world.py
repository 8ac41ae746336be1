"""What a contract function sees: typed records of the world state, and who is asking.

The only module of the energy contracts that touches the chaincode stub.
"""

from dataclasses import dataclass
from typing import TypeVar

from chaincode.energy import keys, records
from chaincode.energy.arrivals import ledger_positions
from chaincode.energy.community import MEMBER_ROLES, PARTICIPANTS, STAFF, Caller, Role, Settings
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.registry.records import Participant
from chaincode.shim.json_values import canonical_json
from chaincode.shim.stub import ChaincodeStub

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    """One transaction's view. `now_ms` is the transaction's timestamp, set by the client.

    The timestamp is only used to refuse what comes too early or too late; what binds is the
    state of the listing on the ledger.
    """

    stub: ChaincodeStub
    caller: Caller
    now_ms: int

    @property
    def tx_id(self) -> str:
        """Id of this transaction."""
        return self.stub.get_tx_id()

    async def find(self, kind: type[T], key: str) -> T | None:
        """The record under a key, None if there is none."""
        raw = await self.stub.get_state(key)
        return records.decode(kind, raw) if raw else None

    async def get(self, kind: type[T], key: str, missing: Refusal, name: str) -> T:
        """The record under a key; refuses with `missing` and `name` if there is none."""
        record = await self.find(kind, key)
        if record is None:
            raise refused(missing, name)
        return record

    async def put(self, key: str, record: object) -> None:
        """Write a record."""
        await self.stub.put_state(key, records.encode(record))

    async def add(self, key: str, record: object, name: str) -> None:
        """Write a record under a key that was never used; refuses otherwise."""
        if await self.stub.get_state(key):
            raise refused(Refusal.ALREADY_EXISTS, name)
        await self.put(key, record)

    async def delete(self, key: str) -> None:
        """Remove a key."""
        await self.stub.del_state(key)

    async def scan(
        self, kind: type[T], bounds: tuple[str, str], *, limit: int | None = None
    ) -> list[tuple[str, T]]:
        """Keys and records of a range in key order, at most `limit` of them."""
        found: list[tuple[str, T]] = []
        rows = self.stub.get_state_by_range(*bounds)
        async for row in rows:
            found.append((row.key, records.decode(kind, row.value)))
            if len(found) == limit:
                await rows.close()
                break
        return found

    async def positions(self, listing_id: str, *, opened_by_tx: str) -> dict[str, int]:
        """Ledger position of every order of a listing, by transaction id."""
        history = self.stub.get_history_for_key(keys.arrivals(listing_id))
        tx_ids = [entry.tx_id async for entry in history]
        return ledger_positions(tx_ids, opened_by_tx=opened_by_tx)

    def announce(self, name: str, payload: dict[str, object]) -> None:
        """Attach the event of this transaction."""
        self.stub.set_event(name, canonical_json(payload))

    async def require_role(self, allowed: frozenset[Role]) -> Role:
        """The caller's staff role if it is one of `allowed` and its member may issue it."""
        role = self.caller.role
        if role is None or role not in allowed:
            names = ", ".join(sorted(allowed))
            raise refused(Refusal.ROLE_NOT_ALLOWED, f"needs one of: {names}")
        if role in MEMBER_ROLES:
            settings = await self.find(Settings, keys.COMMUNITY)
            if settings is not None and not settings.may_issue(role, self.caller.mspid):
                raise refused(
                    Refusal.ROLE_NOT_ALLOWED, f"{self.caller.mspid} may not issue {role}"
                )
        return role

    async def participant(self, idgrid: str) -> Participant:
        """The registry record of an IDgrid."""
        key = keys.participant(idgrid)
        return await self.get(Participant, key, Refusal.UNKNOWN_PARTICIPANT, idgrid)

    def own_idgrid(self) -> str:
        """The IDgrid in the caller's certificate; refuses staff and strangers."""
        if self.caller.role not in PARTICIPANTS:
            raise refused(Refusal.ROLE_NOT_ALLOWED, "only participants may do this")
        if self.caller.idgrid is None:
            raise refused(Refusal.NOT_REGISTERED, "the certificate names no IDgrid")
        return self.caller.idgrid

    async def caller_is_registered(self) -> Participant:
        """The registry record behind the caller's certificate, approved or not."""
        return self.require_registered(
            await self.stub.get_state(keys.participant(self.own_idgrid()))
        )

    def require_registered(self, raw: bytes, *, as_agent: bool = False) -> Participant:
        """Check the caller against the registry record `raw` of its IDgrid (empty: none).

        `as_agent`: keys that only carry out standing orders may do this too.
        """
        idgrid = self.own_idgrid()
        if not raw:
            raise refused(Refusal.NOT_REGISTERED, idgrid)
        found = records.decode(Participant, raw)
        if found.mspid != self.caller.mspid:
            raise refused(Refusal.WRONG_MEMBER, f"{idgrid} belongs to {found.mspid}")
        fingerprint = self.caller.key_fingerprint if found.signers else ""
        if not found.may_sign(fingerprint, self.now_ms, as_agent=as_agent):
            raise refused(Refusal.KEY_NOT_ACTIVE, f"{idgrid}, key {fingerprint}")
        return found

    async def require_own_or_staff(self, idgrid: str) -> None:
        """Only the participant itself and staff may do this."""
        if self.caller.role not in PARTICIPANTS:
            await self.require_role(STAFF)
        elif self.own_idgrid() != idgrid:
            raise refused(Refusal.NOT_YOURS, idgrid)
        else:
            await self.caller_is_registered()
