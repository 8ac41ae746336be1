"""Notices on PostgreSQL, which several gateways share: each is made once and leaves once."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.database import Base, Database, migrate, open_database
from gateway.hems.alarms import AlarmBook, AlarmKind
from gateway.local_time import fixed
from gateway.notices.book import NoticeBook
from gateway.notices.delivery import WebhookDelivery
from gateway.notices.following import Noticing
from gateway.notices.outbox import Outbox
from gateway.notices.outside_http import OutsideHttp, Reach
from gateway.notices.push_devices import PushDevices
from gateway.notices.records import Channel, Choices, Kind
from gateway.notices.sending import Sending
from gateway.notices.webhooks import Webhooks
from gateway.readmodel.queries import ReadModel
from gateway.web.notice_texts import NoticeWriter
from tests.support.postgresql import running_postgresql
from tests.unit.gateway.ledger_double import CHAINCODE
from tests.unit.gateway.notices.push_browser import a_subscription
from tests.unit.gateway.notices.receiver import Receiver
from tests.unit.gateway.notices.told_street import Street, all_steps

pytestmark = pytest.mark.slow
GATEWAYS = 3
REACH = Reach.of(["127.0.0.0/8"])
MUTED = frozenset({(Kind.MATCH, Channel.WEBHOOK), (Kind.STOP, Channel.INBOX)})
IN_THE_INBOX = ["invitation", "match", "settlement", "buy_call", "invitation"]
POSTED = Counter(["invitation", "settlement", "buy_call", "invitation", "stop", "alarm", "alarm"])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_postgresql() as found:
        database = open_database(found.url)
        migrate(database)
        database.close()
        yield found.url


@pytest.fixture
def databases(url: str) -> Iterator[list[Database]]:
    """A connection pool of its own for each gateway."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(open_database(url))) for _ in range(GATEWAYS)]


def test_migrations_make_the_declared_tables(databases):
    with databases[0].reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_gateways_that_share_a_database_tell_each_notice_once(databases, tmp_path):
    street = Street(databases[0])
    street.play()
    home = street.seller.idgrid
    receiver = Receiver(tmp_path)

    def noticing(database: Database) -> Noticing:
        readmodel = ReadModel(database, CHAINCODE)
        return Noticing(NoticeBook(database), readmodel, lambda: street.now_ms, tuple(Channel))

    def webhooks(database: Database) -> Webhooks:
        return Webhooks(database, lambda: street.now_ms, REACH, b"m" * 32)

    def sending(database: Database) -> Sending:
        delivery = WebhookDelivery(
            book=NoticeBook(database),
            webhooks=webhooks(database),
            http=OutsideHttp(REACH, receiver.ca),
            writer=NoticeWriter("La Ligua", fixed(-180)),
            community_id="la-ligua",
            language="en",
        )
        return Sending(Outbox(database), delivery, lambda: street.now_ms)

    async def scene() -> list[int]:
        async with receiver.serving():
            _, hook = webhooks(databases[0]).add(home, receiver.url)
            street.book.choose(home, Choices(MUTED, "pt"))
            alarms = AlarmBook(databases[0])
            alarms.raise_once(AlarmKind.SILENT, [street.seller.meter_id], "", street.now_ms)
            alarms.clear(AlarmKind.SILENT, [street.seller.meter_id], street.now_ms)
            with ThreadPoolExecutor(GATEWAYS) as threads:
                list(threads.map(lambda one: all_steps(noticing(one)), databases))
            sent = await asyncio.gather(*(sending(one).send_due() for one in databases))
            (known,) = webhooks(databases[1]).of(home)
            assert (known.webhook_id, known.last_state) == (hook.webhook_id, "sent")
            webhooks(databases[2]).remove(hook.webhook_id, home)
            assert webhooks(databases[0]).of(home) == []
            return sent

    sent = asyncio.run(scene())
    assert [kind for kind in street.kinds(street.seller) if kind != "alarm"] == IN_THE_INBOX
    assert street.kinds(street.seller).count("alarm") == 2
    events = [json.loads(one.body) for one in receiver.posted]
    assert Counter(event["type"].rpartition(".")[2] for event in events) == POSTED
    assert len({event["id"] for event in events}) == len(events) == sum(sent)
    assert {event["data"]["language"] for event in events} == {"pt"}


def test_a_browser_moves_to_the_household_that_asks_last(databases):
    devices = [PushDevices(one, lambda: 1, Reach(), bytes(65)) for one in databases]
    subscription = a_subscription()
    first = devices[0].add("VAL-0000-G", subscription, "Linux")
    assert devices[1].subscription(first.push_id) == subscription
    assert devices[1].add("VAL-0001-E", subscription, "Linux").push_id == first.push_id
    assert devices[2].of("VAL-0000-G") == []
    devices[2].remove(first.push_id)
    assert devices[0].of("VAL-0001-E") == []
