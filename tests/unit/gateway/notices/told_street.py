"""A street whose contracts really ran, and its events as blocks of a gateway's read model."""

import json
from collections.abc import Sequence
from functools import cache

from chaincode.energy.registry.person_records import Person, person_hash
from chaincode.shim import ContractError
from gateway.database import Database
from gateway.errors import LedgerRefusal
from gateway.notices.book import NoticeBook
from gateway.notices.following import Noticing
from gateway.notices.records import Channel
from gateway.notices.rules import EVENTS_TOLD
from ledger.model.codec_proposal import decode_proposal
from tests.unit.energy.community import Community, Household
from tests.unit.energy.marketplace import scene
from tests.unit.energy.settlement.trades import settled_trade
from tests.unit.gateway.ledger_double import CHANNEL, NOW_MS
from tests.unit.gateway.readmodel_blocks import Ledger

STOPPED = "2026-01-15T12"
SALT = b"s" * 16


class Street:
    """`seller` and `buyer` traded an hour, called on the marketplace; another hour was stopped."""

    def __init__(self, database: Database | None = None) -> None:
        """`database`: of the gateway; a fresh one of SQLite unless named."""
        self.community, self.seller, self.buyer = _lived()
        self.ledger = Ledger(database)
        self.book = NoticeBook(self.ledger.database)
        self.now_ms = NOW_MS

    def noticing(self, *channels: Channel) -> Noticing:
        """As a gateway makes them when it starts."""
        ways: Sequence[Channel] = channels or (Channel.INBOX, Channel.EMAIL)
        return Noticing(self.book, self.ledger.readmodel, lambda: self.now_ms, ways)

    def play(self) -> None:
        """Bring events to the read model, a block each: those that tell, and some that do not."""
        community = self.community.ledger
        state = {key: community.state(key) or b"" for key in community.keys("")}
        self.ledger.double.event = ("Founded", b"{}")
        self.ledger.block(("registry:found", state))
        for event in community.events:
            if event.name not in EVENTS_TOLD and event.name != "OrderPlaced":
                continue
            self.ledger.double.event = (event.name, event.payload)
            self.ledger.block(("market:anything", {}))
        self.ledger.catch_up()

    def kinds(self, home: Household) -> list[str]:
        """Kinds in a household's inbox, the oldest first."""
        entries = self.book.inbox(home.idgrid, 100)
        return [entry.notice.kind.value for entry in reversed(entries)]


class PersonsOnLedger:
    """`gateway.ports.Ledger` as far as it answers questions, by the real contract."""

    channel_id = CHANNEL

    def __init__(self, community: Community) -> None:
        self._community = community

    async def evaluate(self, _tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        signed = decode_proposal(proposal, signature)
        function, *args = [arg.decode() for arg in signed.args]
        try:
            answer = self._community.manager.evaluate(
                function, *args, transient=dict(signed.transient)
            )
        except ContractError as refusal:
            raise LedgerRefusal("ABORTED", str(refusal)) from refusal
        return json.dumps(answer).encode()


def email_of(home: Household) -> str:
    return f"{home.meter_id}@street.example"


def all_steps(noticing: Noticing) -> int:
    steps = 0
    while noticing.step():
        steps += 1
    return steps


@cache
def _lived() -> tuple[Community, Household, Household]:
    """Contracts are slow to run, and nobody changes the community afterwards."""
    community, seller, buyer = settled_trade(8000, 9000)
    _with_persons(community)
    _calls_and_stop(community)
    return community, seller, buyer


def _with_persons(community: Community) -> None:
    community.manager.submit("persons:set_index_key", transient={"index_key": b"k" * 32})
    for home in community.households:
        person = Person(home.idgrid, "Somebody", email_of(home), SALT.hex())
        community.manager.submit(
            "membership:set_personal_data_hash", home.idgrid, person_hash(person)
        )
        private = {"name": b"Somebody", "email": person.email.encode(), "salt": SALT}
        community.manager.submit("persons:record", home.idgrid, transient=private)


def _calls_and_stop(community: Community) -> None:
    seller, buyer = community.households
    scene.offer(community, seller, hour="2026-01-15T14")
    scene.request(community, buyer, hour="2026-01-15T14")
    community.open(STOPPED)
    community.manager.submit("listings:stop", STOPPED, "a line is down")
