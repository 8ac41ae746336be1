"""Everything the routes use, put together once by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.books.community import Community
from gateway.books.market import Market
from gateway.books.marketplace import Marketplace
from gateway.currency import Currencies
from gateway.hems.batteries import BatteryStore
from gateway.hems.device_enrolment import DeviceEnrolment
from gateway.hems.link_audit import LinkAudit
from gateway.hems.plug_services import PlugServices
from gateway.hems.service import HemsService
from gateway.hems.tampering import TamperWatch
from gateway.identity.people import People
from gateway.identity.sessions import Sessions
from gateway.ledger_access.block_signal import BlockSignal
from gateway.local_time import LocalTime
from gateway.mqtt.broker_link import BrokerLink
from gateway.mqtt.reading_check import Attesting
from gateway.notices.addresses import Addresses
from gateway.notices.book import NoticeBook
from gateway.notices.ways import NoticeWays
from gateway.ports import Measurements, NothingMeasured, Readings
from gateway.readiness import Readiness
from gateway.readmodel.event_feed import EventFeed
from gateway.readmodel.queries import ReadModel
from gateway.shared_state.answered import AnsweredRequests
from gateway.shared_state.api_tokens import ApiTokens
from gateway.shared_state.tries import Tries
from gateway.statements.settlements import Settlements
from gateway.transactions.receipts import Receipts
from gateway.transactions.submitting import Transactions

STREAMS_MAX = 1_000
"""Server-sent event streams open at once."""


class Slots:
    """Counts what may be open at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0

    def take(self) -> bool:
        """Whether there was a free one; it is the caller's now."""
        if self._taken >= self.limit:
            return False
        self._taken += 1
        return True

    def give_back(self) -> None:
        """The caller no longer needs its own."""
        self._taken -= 1


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases of one gateway process."""

    readmodel: ReadModel
    readiness: Readiness
    blocks: BlockSignal
    feed: EventFeed
    transactions: Transactions
    market: Market
    community: Community
    sessions: Sessions
    api_tokens: ApiTokens
    answered: AnsweredRequests
    tries: Tries
    receipts: Receipts
    people: People
    readings: Readings
    streams: Slots
    clock_ms: Callable[[], int]
    community_name: str
    energy_hour_ms: int
    """Real milliseconds per market hour: 3,600,000 unless the clock is accelerated."""
    local_time: LocalTime
    """The community's clocks: days and months of pages, statements and charts."""
    batteries: BatteryStore = field(default_factory=BatteryStore)
    currencies: Currencies = field(default_factory=Currencies)
    measurements: Measurements = field(default_factory=NothingMeasured)
    """Voltage, power and appliances, as far as devices tell them."""
    plug_services: PlugServices = field(default_factory=PlugServices)
    terms: str = ""
    """The community's own terms; empty: the pages' short text."""
    broker: BrokerLink = field(default_factory=BrokerLink)
    """For whatever else than commands is published; never open in a gateway without a broker."""
    notice_ways: NoticeWays = field(default_factory=NoticeWays)
    """How notices reach households."""
    addresses: Addresses | None = None
    """Who uses an e-mail address; None in a gateway that may not read them."""
    hems: HemsService | None = None
    """Devices, alarms, transfers; None in a gateway without a broker."""
    link_audit: LinkAudit | None = None
    """None in a gateway without a broker."""
    tamper_watch: TamperWatch | None = None
    """None in a gateway that anchors nothing."""
    attesting: Attesting | None = None
    """For meters of tier A; None in a gateway that attests for nobody."""

    @property
    def settlements(self) -> Settlements:
        """What was settled, by household and month."""
        return Settlements(self.readmodel, self.local_time)

    @property
    def marketplace(self) -> Marketplace:
        """Offers and requests between two households."""
        return Marketplace(self.readmodel)

    @property
    def device_enrolment(self) -> DeviceEnrolment:
        """Enrolment codes of devices, and the proofs made with them."""
        return DeviceEnrolment(self.readmodel.database, self.clock_ms, self.attesting)

    @property
    def notices(self) -> NoticeBook:
        """Inboxes, and what households want to be told."""
        return NoticeBook(self.readmodel.database)
