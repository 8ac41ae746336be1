"""Transfers on the source's `p2p/energy`, through the real mosquitto: told once, not obeyed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt

from gateway.hems.transfer_rules import End, Transfer
from gateway.hems.transfers import TransferBook
from gateway.settings import ForeignDevices
from tests.integration.test_foreign_devices import METER, NEIGHBOUR, SECONDS_MAX, gateway_beside
from tests.support.gateway_database import fresh_database
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto, needs_mosquitto

pytestmark = needs_mosquitto
TOPIC, BOARD, OLD_ORACLE = "p2p/energy", "board-1", "old-oracle"
TELLING = ForeignDevices(source={"p2p": BOARD}, energy={"p2p": OLD_ORACLE})
SILENT = ForeignDevices(source={"p2p": BOARD})
SELLER, BUYER = "FON-0001-2", "FON-0002-0"
HOUR_MS = 3_600_000


def begun(number: int, now_ms: int, *, seller: str = SELLER, energy_wh: int = 250) -> Transfer:
    """A transfer whose turn has come; each on a segment of its own, so none waits for another."""
    return Transfer(
        transfer_id=f"t-{number}",
        number=number,
        segment=f"bus-{number}",
        energy_wh=energy_wh,
        seller=End(seller, METER),
        buyer=End(BUYER, NEIGHBOUR),
        begins_ms=now_ms,
        expires_ms=now_ms + HOUR_MS,
        until_ms=now_ms + HOUR_MS,
    )


def plan(services, *transfers: tuple[int, dict]) -> None:
    book = services.hems.stores.transfers
    for number, fields in transfers:
        assert book.plan(begun(number, services.clock_ms(), **fields))


async def heard(client: aiomqtt.Client, count: int) -> list[str]:
    """The next lines on the topic."""
    messages, lines = aiter(client.messages), []
    async with asyncio.timeout(SECONDS_MAX):
        while len(lines) < count:
            message = await anext(messages)
            assert (str(message.topic), message.retain) == (TOPIC, False)
            lines.append(message.payload.decode())
    return lines


async def refused(services, count: int) -> None:
    """Return when so many messages of the old oracle were refused."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            device = services.hems.stores.devices.get(OLD_ORACLE)
            if device is not None and device.refused == count:
                return
            await asyncio.sleep(0.05)


async def commanded(device: aiomqtt.Client, last: str) -> list[str]:
    """Ids of the commands a node gets until this one is among them."""
    ids: list[str] = []
    async with asyncio.timeout(SECONDS_MAX):
        async for message in device.messages:
            if str(message.topic).endswith("/cmd"):
                ids.append(json.loads(message.payload)["id"])
                if ids[-1] == last:
                    break
    return ids


@asynccontextmanager
async def listening(broker: Mosquitto, user: str) -> AsyncIterator[aiomqtt.Client]:
    async with broker.client(user) as client:
        await client.subscribe(TOPIC, qos=2)
        yield client


def test_a_transfer_is_told_once_in_the_sources_words_also_after_a_restart(tmp_path: Path):
    async def play(broker: Mosquitto) -> None:
        database = fresh_database()
        async with listening(broker, BOARD) as board:
            async with gateway_beside(broker, TELLING, database=database) as (_, _, _, services):
                plan(services, (1, {}), (2, {"energy_wh": 1_000}))
                lines = await heard(board, 2)
                assert TransferBook(database).announce_next(0) is None  # marked on disk
            assert lines == [
                f"New Transaction #1: 0.25 from {SELLER} -> {BUYER}",
                f"New Transaction #2: 1 from {SELLER} -> {BUYER}",
            ]
            async with gateway_beside(broker, TELLING, database=database) as (_, _, _, services):
                states = [one.state for one in services.hems.stores.transfers.all()]
                assert states == ["running", "running"]
                plan(services, (3, {"energy_wh": 7}))
                # Whatever was told again would come first: the lowest number goes first.
                assert await heard(board, 1) == [
                    f"New Transaction #3: 0.007 from {SELLER} -> {BUYER}"
                ]

    with mosquitto(tmp_path, (METER, NEIGHBOUR), foreign=TELLING) as broker:
        asyncio.run(play(broker))


def test_a_transfer_that_lacks_an_account_is_not_told(tmp_path: Path, caplog):
    async def play(broker: Mosquitto) -> None:
        async with (
            listening(broker, BOARD) as board,
            gateway_beside(broker, TELLING) as (_, _, _, services),
        ):
            plan(services, (1, {"seller": ""}), (2, {"seller": BUYER}), (3, {}))
            (line,) = await heard(board, 1)
            assert line.startswith("New Transaction #3: ")

    with mosquitto(tmp_path, (METER, NEIGHBOUR), foreign=TELLING) as broker:
        asyncio.run(play(broker))
    told = [text for text in caplog.messages if "is not announced" in text]
    assert [text.split(":")[0] for text in told] == [
        "transfer t-1 is not announced, malformed_notice",
        "transfer t-2 is not announced, malformed_notice",
    ]


def test_what_others_say_on_the_topic_is_compared_and_moves_no_relay(tmp_path: Path, caplog):
    lines = [
        f"New Transaction #1: 9 from {SELLER} -> {BUYER}",
        f"New Transaction #1: 0.25 from {BUYER} -> {SELLER}",
        f"New Transaction #77: 0.25 from {SELLER} -> {BUYER}",
        f"New Transaction #1: 0.25 from  -> {BUYER}",
        "on",
    ]

    async def play(broker: Mosquitto) -> None:
        async with (
            listening(broker, OLD_ORACLE) as oracle,
            gateway_beside(broker, TELLING) as (_, node, _, services),
        ):
            await node.subscribe(f"rec/{COMMUNITY}/{METER}/cmd", qos=1)
            plan(services, (1, {}))
            (own,) = await heard(oracle, 1)
            assert await commanded(node, "t-1") == ["t-1"]
            for line in (own, *lines):
                await oracle.publish(TOPIC, line, qos=1)
            await refused(services, len(lines))
            plan(services, (2, {}))
            assert set(await commanded(node, "t-2")) <= {"t-1", "t-2"}  # t-1 may be repeated
            known = services.hems.stores.transfers.all()
            assert [(one.number, one.energy_wh) for one in known] == [(2, 250), (1, 250)]

    with mosquitto(tmp_path, (METER, NEIGHBOUR), foreign=TELLING) as broker:
        asyncio.run(play(broker))
    said = [text for text in caplog.messages if text.startswith("notice on the topic of")]
    codes = [text.partition(", ")[2].partition(":")[0] for text in said]
    assert sorted(codes) == [
        "differing_transfer",
        "differing_transfer",
        "malformed_notice",
        "malformed_notice",
        "unknown_transfer",
    ]


def test_nothing_is_told_unless_the_settings_say_so_and_a_board_cannot_tell(tmp_path: Path):
    async def play(broker: Mosquitto) -> None:
        async with listening(broker, OLD_ORACLE) as oracle:
            async with gateway_beside(broker, SILENT) as (_, node, _, services):
                await node.subscribe(f"rec/{COMMUNITY}/{METER}/cmd", qos=1)
                plan(services, (1, {}), (2, {}))
                assert "t-1" in await commanded(node, "t-2")
            async with broker.client(BOARD) as board:
                await board.publish(TOPIC, b"a board's", qos=1)  # not granted
            await oracle.publish(TOPIC, b"last", qos=1)
            assert await heard(oracle, 1) == ["last"]

    with mosquitto(tmp_path, (METER, NEIGHBOUR), foreign=TELLING) as broker:
        asyncio.run(play(broker))
