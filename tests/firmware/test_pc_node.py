"""The firmware as a whole: real MicroPython, 192 KiB of heap, a real mosquitto over TLS."""

import asyncio
import base64
import hashlib
import itertools
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.mqtt.reading import check_signature, decode_reading
from gateway.mqtt.topics import gateway_access, meter_access
from ledger.crypto.signing import verify_signature
from network.certificates.authority import Authority
from tests.firmware.broker import Mosquitto
from tests.firmware.pc_node import BadRequest, PcNode, make_image, settings

SECONDS_MAX = 60
"""Only a test that fails waits so long."""
SLOW_SAMPLE_MS = 1_000
"""Of a transfer that has to end as agreed on a busy machine: two samples more are no overrun."""
DEVICES = ("node-1", "node-2")


class Scene:
    """A broker, the gateway's side of it, and nodes."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder = folder
        self.broker = broker
        self.heard: list[tuple[str, str, dict]] = []
        self._news = asyncio.Condition()
        self._gateway: aiomqtt.Client | None = None

    async def listen(self) -> None:
        """Be the gateway, connecting again whenever the broker comes back."""
        while True:
            try:
                async with self.broker.client("gateway") as client:
                    await client.subscribe("rec/val/+/+", qos=1)
                    async with self._news:
                        self._gateway = client
                        self._news.notify_all()
                    async for message in client.messages:
                        _, _, device, leaf = str(message.topic).split("/")
                        await self._hear(device, leaf, json.loads(message.payload))
            except aiomqtt.MqttError:
                self._gateway = None
                await asyncio.sleep(0.05)

    async def _hear(self, device: str, leaf: str, content: dict) -> None:
        async with self._news:
            self.heard.append((device, leaf, content))
            self._news.notify_all()

    def all_of(self, device: str, leaf: str) -> list[dict]:
        return [entry for name, kind, entry in self.heard if (name, kind) == (device, leaf)]

    async def wait_for(self, device: str, leaf: str, wanted=lambda _: True, count=1) -> list[dict]:
        def found() -> list[dict]:
            return [entry for entry in self.all_of(device, leaf) if wanted(entry)]

        async with self._news:
            try:
                async with asyncio.timeout(SECONDS_MAX):
                    await self._news.wait_for(lambda: len(found()) >= count)
            except TimeoutError:
                raise AssertionError(f"{device} {leaf}: {self.heard[-8:]}") from None
        return found()

    async def send(self, device: str, leaf: str, content: dict) -> None:
        async with self._news, asyncio.timeout(SECONDS_MAX):
            await self._news.wait_for(lambda: self._gateway is not None)
        await self._gateway.publish(f"rec/val/{device}/{leaf}", json.dumps(content), qos=1)

    async def command(self, device: str, **fields: object) -> None:
        now_ms = time.time_ns() // 1_000_000
        command = {"v": 1, "t": now_ms, "expires": now_ms + 20_000} | fields
        await self.send(device, "cmd", command)

    async def keep_telling_time(self) -> None:
        """As the gateway does each minute, here more often."""
        while True:
            await self.send("gateway", "time", {"v": 1, "t": time.time_ns() // 1_000_000})
            await asyncio.sleep(0.3)

    def image(self, device: str, wifi: dict | None = None, **fields: object) -> Path:
        folder = self.folder / device
        make_image(
            folder,
            settings=settings(device, self.broker.port, **fields),
            authority=self.broker.authority_pem,
            token=self.broker.token(device),
            code="ABCD-1234",
            wifi=wifi,
        )
        return folder


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    access = {"gateway": gateway_access("val")}
    access |= {device: meter_access("val", device) for device in DEVICES}
    (folder / "broker").mkdir()
    broker = Mosquitto(folder / "broker", access)
    await broker.hash_passwords()
    await broker.start()
    scene = Scene(folder, broker)
    listening = asyncio.create_task(scene.listen())
    try:
        yield scene
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await broker.kill()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[PcNode]:
    node = PcNode(folder)
    try:
        await node.start()
        yield node
    finally:
        await node.kill()


@pytest.mark.row("E081")
def test_a_node_measures_signs_and_publishes_over_tls(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world, running(world.image("node-1")) as node:
            # 12.4 V and 0.5 A through the fake converters
            await node.tell(counts=[round(12_400 / 5 / 3_300 * 65_535), 34_754])
            measured = await world.wait_for("node-1", "measure", lambda m: m["u_mv"] > 0, 3)
            for content in measured:
                assert abs(content["u_mv"] - 12_400) <= 5
                assert abs(content["i_ma"] - 500) <= 5
                assert abs(content["p_mw"] - 6_200) <= 80
                assert content["soc_permille"] == (content["u_mv"] - 11_800) * 1_000 // 900
            spans = [b["t"] - a["t"] for a, b in itertools.pairwise(measured)]
            # a machine that is busy can make one late, a wrong period makes all of them wrong
            assert any(900 <= span <= 1_400 for span in spans), spans
            key = load_pem_public_key(node.enrolment["public_key"].encode())
            for content in await world.wait_for("node-1", "reading", count=2):
                reading = decode_reading(json.dumps(content).encode())
                check_signature(reading, key)
                assert reading.t_end_ms % 1_000 == 0
            state = (await world.wait_for("node-1", "state"))[0]
            assert (state["state"], state["tier"]) == ("online", "B")

    asyncio.run(play())


def test_the_enrolment_is_signed_by_the_key_that_stays_in_the_node(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world:
            folder = world.image("node-1")
            assert not (folder / "keys" / "meter.key").exists(), "made by the node itself"
            async with running(folder) as node:
                told = node.enrolment
            key = load_pem_public_key(told["public_key"].encode())
            line = f"gridledger-enrol-1|node-1|ABCD-1234|{told['kid']}".encode()
            verify_signature(key, line, base64.b64decode(told["proof"]))
            secret = (folder / "keys" / "meter.key").read_bytes()
            async with running(folder) as node:
                assert node.enrolment["fingerprint"] == told["fingerprint"]
            assert (folder / "keys" / "meter.key").read_bytes() == secret
            der = base64.b64decode("".join(told["public_key"].split("-----")[2].split()))
            assert hashlib.sha256(der).hexdigest() == told["fingerprint"]

    asyncio.run(play())


def test_a_line_that_is_no_order_is_refused_and_the_node_goes_on(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world, running(world.image("node-1")) as node:
            for mistyped in ('{"power_mw": 1', "power", "[1]"):
                await node.type(mistyped)
            await node.tell(power_mw=-10_000)
            refused = [line for line in node.lines if "refused" in line]
            assert refused == [{"refused": "no JSON object"}] * 3

    asyncio.run(play())


def test_an_image_never_overwrites_a_node(tmp_path):
    authority = Authority.create("CA", "DSO", now=datetime.now(UTC), days=1).certificate_pem
    arguments = {"authority": authority, "token": "t", "code": "c", "wifi": None}
    make_image(tmp_path / "n", settings=settings("node-1", 1), **arguments)
    assert (tmp_path / "n" / "keys" / "broker.token").stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadRequest):
        make_image(tmp_path / "n", settings=settings("node-1", 1), **arguments)


@pytest.mark.row("E092")
def test_a_plug_follows_its_command_and_says_so_within_two_seconds(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world, running(world.image("node-1")) as node:
            await world.wait_for("node-1", "state")
            took_s = []
            for number, on in enumerate((1, 0, 1)):
                await asyncio.sleep(1.1 * bool(number))  # the plug's rest
                begun = time.monotonic()
                await world.command("node-1", id=f"p-{number}", op="switch", on=on)
                answer = (
                    await world.wait_for("node-1", "ack", lambda a, n=number: a["id"] == f"p-{n}")
                )[0]
                took_s.append(time.monotonic() - begun)
                assert (answer["status"], answer["on"]) == ("done", on)
            assert min(took_s) < 2, "a machine that is busy can make one late, a rule all three"
            assert node.pins("plug") == [1, 0, 1]
            await world.wait_for("node-1", "state", lambda s: s["on"] == 1)

    asyncio.run(play())


def transfer(number: int, energy_wh: int) -> dict[str, object]:
    return {
        "id": f"tx-{number}",
        "op": "transfer",
        "until": time.time_ns() // 1_000_000 + 60_000,
        "number": number,
        "energy_wh": energy_wh,
        "seller": "IDG-node-1",
        "buyer": "IDG-node-2",
    }


@pytest.mark.row("E086")
def test_one_transfer_closes_each_relay_once_whatever_is_repeated(tmp_path):
    async def play() -> None:
        async with (
            scene(tmp_path) as world,
            running(world.image("node-1", sample_ms=SLOW_SAMPLE_MS)) as seller,
            running(world.image("node-2", sample_ms=SLOW_SAMPLE_MS)) as buyer,
        ):
            for device in DEVICES:
                await world.wait_for(device, "state")
            command = transfer(7, energy_wh=5)
            for _ in range(3):
                for device in DEVICES:
                    await world.command(device, **command)
            await seller.tell(power_mw=-1_800_000)  # 0.5 Wh per sample
            await buyer.tell(power_mw=1_800_000)
            for device in DEVICES:
                done = await world.wait_for(device, "ack", lambda a: a["status"] == "done")
                assert 5_000 <= done[0]["energy_mwh"] <= 6_000, "more were an overrun"
            await seller.kill()  # the node starts again, and so does who sent the command
            again = PcNode(seller.folder)
            try:
                await world.wait_for("node-1", "state", lambda s: s["state"] == "lost")
                before = len(world.all_of("node-1", "ack"))
                online = len([s for s in world.all_of("node-1", "state") if "out" in s])
                await again.start()
                states = await world.wait_for("node-1", "state", lambda s: "out" in s, online + 1)
                assert states[-1]["out"] == 0
                await world.command("node-1", **command)
                await world.wait_for("node-1", "ack", count=before + 1)
                assert world.all_of("node-1", "ack")[-1]["status"] == "done"
                assert again.pins("out") == []
            finally:
                await again.kill()
            assert (seller.pins("out"), seller.pins("in")) == ([1, 0], [])
            assert (buyer.pins("in"), buyer.pins("out"), buyer.pins("led")) == ([1, 0], [], [1, 0])
            for device in DEVICES:
                kinds = [event["event"] for event in world.all_of(device, "event")]
                assert kinds == ["start", "stop"]

    asyncio.run(play())


@pytest.mark.slow
@pytest.mark.row("E089")
def test_a_broker_killed_in_a_transfer_opens_the_relay_and_is_reported(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world, running(world.image("node-1")) as seller:
            await world.wait_for("node-1", "state")
            await seller.tell(power_mw=-10_000)
            await world.command("node-1", **transfer(1, energy_wh=1_000))
            await seller.wait_for(lambda line: line.get("pin") == "out")
            await world.broker.kill()
            killed_ms = time.time_ns() // 1_000_000
            moves = await seller.wait_for(lambda line: line.get("pin") == "out", 2, seconds_max=90)
            assert seller.pins("out") == [1, 0]
            assert moves[1]["t"] - killed_ms < 40_000, "half a minute after the last word"
            await world.broker.start()
            failed = await world.wait_for("node-1", "ack", lambda a: a["status"] == "failed")
            assert failed[0]["reason"] == "lost_link"
            assert failed[0]["out"] == 0
            await world.command("node-1", **transfer(1, energy_wh=1_000))
            await world.wait_for("node-1", "ack", lambda a: a["status"] == "failed", 2)
            assert seller.pins("out") == [1, 0]

    asyncio.run(play())


def test_readings_of_an_outage_come_later_in_order_and_survive_a_reset(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world:
            folder = world.image("node-1")
            async with running(folder) as node:
                await node.tell(power_mw=3_600_000)
                await world.wait_for("node-1", "reading", count=2)
                await world.broker.kill()
                await asyncio.sleep(3)  # intervals pass with nobody to tell
            await world.broker.start()
            heard_before = len(world.all_of("node-1", "reading"))
            async with running(folder) as node:
                await node.tell(power_mw=3_600_000)
                await world.wait_for("node-1", "reading", count=heard_before + 6)
            await asyncio.sleep(0)
            readings = world.all_of("node-1", "reading")[heard_before:]
            numbers = [reading["seq"] for reading in readings]
            assert numbers == list(range(1, len(numbers) + 1)), "none was stored: all again"
            imports = [reading["imp_wh"] for reading in readings]
            assert imports == sorted(imports)
            ends = [reading["t_end"] for reading in readings]
            assert ends == sorted(set(ends))

    asyncio.run(play())


def test_stored_readings_leave_the_node(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world, running(world.image("node-1")) as node:
            first = (await world.wait_for("node-1", "reading"))[0]
            stored = {"v": 1, "m": "node-1", "seqs": [[1, first["seq"] + 100]]}
            await world.send("node-1", "stored", stored)
            await world.command("node-1", id="p-1", op="switch", on=1)
            state = await world.wait_for("node-1", "state", lambda s: s["on"] == 1)
            assert state[0]["outbox"] <= 2
            assert node.lines

    asyncio.run(play())


def test_a_wrong_token_or_authority_gets_no_connection(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world:
            (world.folder / "other").mkdir()
            other = Mosquitto(world.folder / "other", {})
            wrong_token = world.image("node-1")
            (wrong_token / "keys" / "broker.token").write_text("wrong")
            wrong_authority = world.image("node-2")
            (wrong_authority / "ca.der").write_bytes(
                ssl.PEM_cert_to_DER_cert(other.authority_pem.decode())
            )
            async with running(wrong_token) as first, running(wrong_authority) as second:
                await first.wait_until_it_says("link: lost")
                await second.wait_until_it_says("not correctly signed by the trusted CA")
                assert first.said == ["link: lost: refused: not authorised\n"]
            assert world.heard == []

    asyncio.run(play())
