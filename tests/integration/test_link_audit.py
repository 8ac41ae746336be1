"""The audit of devices' links over the real mosquitto: refusals, and the page that lists them.

Devices and strangers connect from loopback addresses of their own, as they would from a network.
"""

import asyncio
import json
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import httpx
import pytest

from gateway.identity.sessions import Viewer
from gateway.settings import ForeignDevices
from tests.integration.test_foreign_devices import METER, gateway_beside, settings_for
from tests.integration.test_mosquitto import connects
from tests.support.mosquitto import (
    COMMUNITY,
    Mosquitto,
    authority_of,
    mosquitto,
    needs_mosquitto,
    write_files,
)

pytestmark = needs_mosquitto
SECONDS_MAX = 60
NODE, NEIGHBOUR = "node-1", "node-2"
NODE_ADDRESS, STRANGER_ADDRESS = "127.0.0.21", "127.0.0.66"
NOBODY = ForeignDevices()
MANAGER = {"Authorization": "Bearer the-manager"}
MS_PER_DAY = 24 * 3_600_000


def from_address(broker: Mosquitto, user: str, address: str, *, token: str = "") -> aiomqtt.Client:
    return aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        identifier=user,
        username=user,
        password=token or broker.tokens[user],
        tls_context=ssl.create_default_context(cafile=str(broker.folder / "ca.crt")),
        bind_address=address,
        timeout=SECONDS_MAX,
    )


async def fail_to_sign_in(broker: Mosquitto, user: str, address: str) -> None:
    client = from_address(broker, user, address, token="guess")
    with pytest.raises(aiomqtt.MqttError):
        async with client:
            pass
    socket = client._client.socket()
    if socket is not None:
        socket.close()  # aiomqtt leaves that of a refused connection to the collector


async def wrong_certificate(broker: Mosquitto, folder: Path) -> None:
    """A device that trusts another authority: TLS ends before anything is said."""
    other = folder / "other.crt"
    other.write_bytes(authority_of("OtherMSP").tls.certificate_pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection(
            "127.0.0.1",
            broker.port,
            ssl=ssl.create_default_context(cafile=str(other)),
            local_addr=(STRANGER_ADDRESS, 0),
        )


async def sign_in_and_try_the_neighbours_topic(broker: Mosquitto) -> list[str]:
    """As a node does; returns what others heard of it."""
    heard: list[str] = []
    async with from_address(broker, NODE, NODE_ADDRESS) as node, broker.client("oracle") as ear:
        await ear.subscribe(f"rec/{COMMUNITY}/+/reading", qos=1)
        state = {"v": 1, "d": NODE, "state": "online", "fw": "1.2.3", "tier": "B"}
        await node.publish(f"rec/{COMMUNITY}/{NODE}/state", json.dumps(state), qos=1, retain=True)
        for device in (NEIGHBOUR, NODE):
            await node.publish(f"rec/{COMMUNITY}/{device}/reading", b"{}", qos=1)
        async with asyncio.timeout(SECONDS_MAX):
            async for message in ear.messages:
                heard.append(str(message.topic))
                if heard[-1].endswith(f"{NODE}/reading"):
                    return heard
    raise AssertionError("the oracle's connection ended")


def row_of(page: str, subject: str) -> str:
    return page.partition(f'data-link="{subject}"')[2].partition("</tr>")[0]


async def page_with(api: httpx.AsyncClient, *parts: tuple[str, str]) -> str:
    """The page once these rows say these things."""
    headers = MANAGER | {"accept": "text/html"}
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            text = (await api.get("/console/security", headers=headers)).raise_for_status().text
            if all(part in row_of(text, subject) for subject, part in parts):
                return text
            await asyncio.sleep(0.1)


async def only_with_a_certificate_of_the_community(broker: Mosquitto) -> None:
    """Where certificates are asked for, one of another authority does not help."""
    now = datetime.now(tz=UTC)
    for authority, is_welcome in ((authority_of("CoopMSP"), False), (broker.authority, True)):
        write_files(authority.issue_tls(NODE, now=now), broker.folder, NODE)
        context = ssl.create_default_context(cafile=str(broker.folder / "ca.crt"))
        context.load_cert_chain(broker.folder / f"{NODE}.crt", broker.folder / f"{NODE}.key")
        assert await connects(broker.client(NODE, tls=context)) is is_welcome


@pytest.mark.row("E091")
def test_links_are_refused_limited_and_listed_in_the_audit(tmp_path):
    async def play(broker: Mosquitto) -> None:
        settings = settings_for(broker, NOBODY)
        settings = replace(settings, hems=replace(settings.hems, broker_folder=broker.folder))
        async with gateway_beside(broker, NOBODY, settings=settings) as (api, *_, services):
            services.sessions.admit("the-manager", Viewer("", is_manager=True))
            assert await sign_in_and_try_the_neighbours_topic(broker) == [
                f"rec/{COMMUNITY}/{NODE}/reading"
            ]
            for _ in range(2):
                await fail_to_sign_in(broker, NODE, NODE_ADDRESS)
            await fail_to_sign_in(broker, NEIGHBOUR, STRANGER_ADDRESS)
            await wrong_certificate(broker, tmp_path)
            issued = {NODE: services.clock_ms() - 400 * MS_PER_DAY, NEIGHBOUR: services.clock_ms()}
            (broker.folder / "issued.json").write_text(json.dumps(issued))
            checked = await api.post("/console/security/check", headers=MANAGER)
            assert checked.headers["location"] == "/console/security"
            text = await page_with(
                api,
                (NODE, 'data-failed="2"'),
                (NODE, 'data-concern="failed_logins"'),
                (NODE, "1.2.3"),
                (NODE, NODE_ADDRESS),
                (NODE, 'data-age="400"'),
                (NODE, 'data-concern="old_credential"'),
                (STRANGER_ADDRESS, 'data-failed="2"'),
                (STRANGER_ADDRESS, 'data-concern="stranger"'),
                (NEIGHBOUR, 'data-concern="never_connected"'),
                (NEIGHBOUR, 'data-failed="0"'),
                (NEIGHBOUR, 'data-age="0"'),
            )
            assert 'data-checked="0"' not in row_of(text, NODE)
            assert 'data-certificate-days="' in text

    with mosquitto(tmp_path, (METER, NODE, NEIGHBOUR)) as broker:
        asyncio.run(play(broker))
    strict = tmp_path / "strict"
    strict.mkdir()
    with mosquitto(strict, (NODE,), asks_certificates=True) as broker:
        asyncio.run(only_with_a_certificate_of_the_community(broker))
