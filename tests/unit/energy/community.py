"""A small community on the test ledger: staff, households with meters, and one listing's life."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chaincode.energy.contracts import CONTRACTS
from chaincode.energy.idgrid import with_check_character
from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from chaincode.shim import ContractError
from chaincode.shim.testing import (
    TestClient,
    TestIdentity,
    TestLedger,
    collection,
    make_identity,
)

COOP, DSO, UTILITY = "CoopMSP", "DsoMSP", "UtilityMSP"
LISTING = "2026-01-15T10"
HASH = "ab" * 32
FLOOR, CAP = 20_000, 102_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)


@dataclass
class Household:
    """A registered, approved connection with its meter's registers."""

    client: TestClient
    idgrid: str
    meter_id: str
    meter: TestIdentity
    res_id: str
    seq: int = 0
    import_wh: int = 0
    export_wh: int = 0
    quality: str = "measured"

    def reading(self, t_end_ms: int, /, **changes: Any) -> dict[str, Any]:
        """The meter's next reading, signed; `changes` are made before signing."""
        self.seq += 1
        values: dict[str, Any] = {
            "meter_id": self.meter_id,
            "seq": self.seq,
            "t_end_ms": t_end_ms,
            "import_wh": self.import_wh,
            "export_wh": self.export_wh,
            "quality": self.quality,
        } | changes
        message = signed_message(MeterReading(**values, signature=""))
        return values | {"signature": base64.b64encode(self.meter.sign(message)).decode()}


@dataclass
class Community:
    """Staff of the members, and the households registered so far."""

    ledger: TestLedger
    manager: TestClient
    dso: TestClient
    oracle: TestClient
    scheduler: TestClient
    households: list[Household] = field(default_factory=list)

    @classmethod
    def found(
        cls,
        *,
        start: str = "2026-01-15T09:50:00Z",
        policy: str = "ANY",
        members: Sequence[str] = (),
    ) -> "Community":
        """`policy` says whose peers run each transaction; `members` are there from the start."""
        ledger = TestLedger(
            [contract() for contract in CONTRACTS],
            start=start,
            policy=policy,
            members=members,
            collections=[collection("persons", COOP, DSO, policy=f"OR('{COOP}.peer')")],
        )

        def staff(mspid: str, role: str) -> TestClient:
            return ledger.client(mspid, role, attributes={"role": role})

        return cls(
            ledger=ledger,
            manager=staff(COOP, "community_manager"),
            dso=staff(DSO, "dso"),
            oracle=staff(DSO, "oracle"),
            scheduler=staff(COOP, "scheduler"),
        )

    def join(
        self,
        *,
        role: str = "prosumer",
        tokens: int = 10**9,
        kind: str = "household",
        source_type: str = "solar",
    ) -> Household:
        """Register and approve one more household, with a source unless it only consumes.

        It has consented, and granted the trading contract access to its meter.
        """
        home = self.register(role=role, tokens=tokens, kind=kind, source_type=source_type)
        home.client.submit("membership:consent", HASH)
        home.client.submit("access:grant", "market", home.meter_id)
        return home

    def register(
        self,
        *,
        role: str = "prosumer",
        tokens: int = 10**9,
        kind: str = "household",
        source_type: str = "solar",
    ) -> Household:
        """Like `join`, as far as staff can do it: no consent, no access to the meter."""
        number = len(self.households)
        idgrid = with_check_character(f"VAL-{number:04}")
        meter = make_identity(DSO, f"meter-{number}", {}, "client")
        home = Household(
            client=self.ledger.client(COOP, idgrid, attributes={"role": role, "idgrid": idgrid}),
            idgrid=idgrid,
            meter_id=f"meter-{number}",
            meter=meter,
            res_id="" if role == "consumer" else f"pv-{number}",
        )
        self.manager.submit("registry:register_participant", idgrid, role, HASH, kind)
        self.dso.submit("registry:register_meter", home.meter_id, idgrid, meter.public_key.hex())
        self.dso.submit("registry:approve_meter", home.meter_id)
        self.dso.submit("registry:approve_participant", idgrid)
        if home.res_id:
            source = ("registry:register_res", home.res_id, idgrid, source_type, 5000)
            home.client.submit(*source)
            self.dso.submit("registry:approve_res", home.res_id)
        if tokens:
            self.manager.submit("tokens:deposit", idgrid, tokens, "cash")
        self.households.append(home)
        return home

    def open(self, listing_id: str = LISTING, **parameters: Any) -> dict[str, Any]:
        """Open a listing with the energy-auction preset unless told otherwise."""
        chosen = {
            "preset": "energy_auction",
            "floor_utoken_per_kwh": FLOOR,
            "cap_utoken_per_kwh": CAP,
        } | parameters
        opened: dict[str, Any] = self.manager.submit("market:open_listing", listing_id, chosen)
        return opened

    def offer(self, home: Household, energy_wh: int, price: int, listing: str = LISTING) -> Any:
        return home.client.submit("market:place_offer", listing, home.res_id, energy_wh, price)

    def bid(self, home: Household, energy_wh: int, price: int, listing: str = LISTING) -> Any:
        return home.client.submit("market:place_bid", listing, energy_wh, price)

    def close_and_clear(self, listing_id: str = LISTING) -> dict[str, Any]:
        """Move to gate closure and clear."""
        self.ledger.at(hour_of(listing_id) - timedelta(minutes=2))
        self.scheduler.submit("market:close_bidding", listing_id)
        result: dict[str, Any] = self.scheduler.submit("market:clear", listing_id)
        return result

    def deliver(self, flows: dict[str, tuple[int, int]], listing_id: str = LISTING) -> None:
        """Report every meter at both ends of the hour; `flows`: idgrid -> (import, export) Wh."""
        start = hour_of(listing_id)
        self.report(start)
        for home in self.households:
            imported_wh, exported_wh = flows.get(home.idgrid, (0, 0))
            home.import_wh += imported_wh
            home.export_wh += exported_wh
        self.report(start + timedelta(hours=1))

    def report(self, time: datetime) -> None:
        """One reading of every meter at this time."""
        self.ledger.at(time)
        readings = [home.reading(milliseconds(time)) for home in self.households]
        self.oracle.submit("oracle:report_readings", readings)

    def settle(self, listing_id: str = LISTING) -> dict[str, Any]:
        settled: dict[str, Any] = self.scheduler.submit("market:settle", listing_id)
        return settled

    def account(self, home: Household) -> dict[str, Any]:
        view: dict[str, Any] = home.client.evaluate("tokens:account", home.idgrid)
        return view

    def audit(self) -> dict[str, int]:
        audit: dict[str, int] = self.manager.evaluate("tokens:audit")
        return audit


def refuses(
    community: Community, code: str, client: TestClient, function: str, *args: Any
) -> ContractError:
    """Submit, expect the refusal, and compare the whole state and the events."""
    before = community.ledger.snapshot()
    with pytest.raises(ContractError) as refusal:
        client.submit(function, *args)
    assert refusal.value.code == code, refusal.value
    after = community.ledger.snapshot()
    assert (after.state, after.events) == (before.state, before.events)
    return refusal.value


def hour_of(listing_id: str) -> datetime:
    return datetime.fromisoformat(f"{listing_id}:00:00+00:00")
