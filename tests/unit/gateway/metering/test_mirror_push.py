"""Copies to a cloud channel over HTTP: within its limit whatever fails, and off unless named."""

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from urllib.parse import parse_qs

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.hems import mirror
from gateway.hems.mirror import UPDATE_SPACING_MS_MIN, CloudMirror
from gateway.hems.mirror_push import MirrorChannel, MirrorPush, mirror_client
from gateway.hems.service import Inbox
from gateway.settings import HemsSettings
from tests.support.gateway_database import fresh_database
from tests.unit.gateway.metering.data_service import NOON_MS, Keys, Scene
from tests.unit.gateway.serving import serve

MS_PER_DAY = 24 * 3_600_000
MIDNIGHT_MS = NOON_MS // MS_PER_DAY * MS_PER_DAY
HOUSES = 7


class Cloud:
    """A service of the ThingSpeak kind; `status` is its answer, with 0 if it takes nothing."""

    def __init__(self) -> None:
        self.writes: list[dict[str, str]] = []
        self.status = 200
        self.takes = True
        self.app = Starlette(routes=[Route("/update", self.update, methods=["POST"])])

    async def update(self, request: Request) -> Response:
        body = parse_qs((await request.body()).decode())
        self.writes.append({name: values[0] for name, values in body.items()})
        answer = str(len(self.writes)) if self.takes else "0\n"
        return Response(answer, self.status, {"location": "/elsewhere"})


def channel(url: str, **changes: object) -> MirrorChannel:
    fields = {f"house-{number}.u_mv": f"field{number + 1}" for number in range(HOUSES)}
    made = MirrorChannel(url=f"{url}/update", api_key="secret", fields=fields)
    return replace(made, **changes) if changes else made


class Street:
    """Seven houses that publish every second, and a gateway that mirrors them."""

    def __init__(self, url: str, **changes: object) -> None:
        self.scene = Scene(Keys())
        self.scene.now_ms = MIDNIGHT_MS
        self.http = mirror_client()
        self.push = MirrorPush(
            self.scene.database,
            {"community": channel(url, **changes)},
            self.http,
            lambda: self.scene.now_ms,
        )

    def publish(self, value_mv: int) -> None:
        """One second of all houses, over the way in of their messages."""
        inbox = Inbox()
        for house in range(HOUSES):
            raw = f'{{"v":1,"d":"house-{house}","t":{self.scene.now_ms},"u_mv":{value_mv}}}'
            topic = f"rec/val/house-{house}/measure"
            self.scene.collector.read(topic, raw.encode(), inbox, self.scene.now_ms)
        self.push.note(inbox.measurements)

    async def second(self, value_mv: int = 12_400) -> int:
        self.scene.now_ms += 1_000
        self.publish(value_mv)
        return await self.push.step()


@pytest.mark.row("E073")
def test_seven_houses_at_one_value_a_second_stay_within_the_limit_of_a_day():
    """With a limit of 60 a day, so that two days are few writes: what is over waits a day."""
    cloud = Cloud()

    async def play() -> None:
        async with serve(cloud.app) as url:
            street = Street(url, writes_per_day=60)
            for day in (1, 2):
                for _ in range(0, MS_PER_DAY, 60_000):
                    street.scene.now_ms += 59_000
                    await street.second()
                assert 55 * day <= len(cloud.writes) <= 60 * day
            assert set(cloud.writes[0]) == {"api_key", *(f"field{n}" for n in range(1, 8))}
            await street.http.aclose()

    asyncio.run(play())


def test_two_updates_of_a_channel_are_never_closer_than_the_service_allows():
    cloud = Cloud()

    async def play() -> None:
        async with serve(cloud.app) as url:
            street = Street(url)
            seconds = range(3 * UPDATE_SPACING_MS_MIN // 1_000)
            at_ms = [
                street.scene.now_ms for value in seconds if await street.second(12_000 + value)
            ]
            assert [later - at for at, later in pairwise(at_ms)] == [UPDATE_SPACING_MS_MIN] * 2
            await street.http.aclose()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("accounts", "writes_max"),
    [(("own", "own", "own"), 82), (("own", "his", "her"), 3 * 58)],
    ids=["of one account", "of three accounts"],
)
def test_channels_of_one_account_share_its_writes_a_day(monkeypatch, accounts, writes_max):
    """New values every minute of a day, and limits a hundred times as tight as they are."""
    monkeypatch.setattr(mirror, "WRITES_PER_DAY_MAX", 82)
    monkeypatch.setattr(mirror, "UPDATE_SPACING_MS_MIN", 1_500_000)
    database, of_account = fresh_database(), Counter(accounts)
    channels = [
        CloudMirror(
            database,
            f"channel-{number}",
            account=account,
            channels_of_account=of_account[account],
            writes_per_day=82,
        )
        for number, account in enumerate(accounts)
    ]
    writes: Counter[int] = Counter()
    for at_ms in range(MIDNIGHT_MS, MIDNIGHT_MS + MS_PER_DAY, 60_000):
        for number, one in enumerate(channels):
            one.note({"field1": at_ms})
            writes[number] += one.due(at_ms) is not None
    assert writes_max * 95 // 100 <= writes.total() <= writes_max
    assert max(writes.values()) == min(writes.values()), "none takes the others' part"


def test_an_account_that_is_full_takes_nothing_of_any_of_its_channels(monkeypatch):
    monkeypatch.setattr(mirror, "WRITES_PER_DAY_MAX", 4)
    database = fresh_database()
    channels = [CloudMirror(database, name, account="own") for name in ("first", "second")]
    hour_ms, taken = MS_PER_DAY // 24, []
    for hour in range(24 + 6):
        for number, one in enumerate(channels):
            one.note({"field1": hour})
            if one.due(MIDNIGHT_MS + hour * hour_ms) is not None:
                taken.append((hour, number))
    assert taken == [(0, 0), (0, 1), (6, 0), (6, 1), (24, 0), (24, 1)]


def test_a_failed_write_counts_and_its_values_come_with_the_next(caplog):
    cloud = Cloud()

    async def play() -> None:
        async with serve(cloud.app) as url:
            street = Street(url, writes_per_day=8_200)
            cloud.status = 500
            assert await street.second(12_000) == 1
            assert await street.second(12_000) == 0, "not at once"
            street.scene.now_ms += UPDATE_SPACING_MS_MIN
            cloud.status = 302
            assert await street.push.step() == 1, "nothing new, but what failed"
            street.scene.now_ms += UPDATE_SPACING_MS_MIN
            cloud.status, cloud.takes = 200, False
            assert await street.push.step() == 1, "200, and yet it took nothing"
            street.scene.now_ms += UPDATE_SPACING_MS_MIN
            cloud.takes = True
            assert await street.push.step() == 1
            street.scene.now_ms += UPDATE_SPACING_MS_MIN
            assert await street.push.step() == 0, "nothing changed since it was taken"
            assert [write["field1"] for write in cloud.writes] == ["12000"] * 4
            await street.http.aclose()

    asyncio.run(play())
    assert sum("cloud channel community" in line for line in caplog.messages) == 1
    assert not any("secret" in line for line in caplog.messages)


def test_a_service_that_is_gone_is_asked_again_in_its_turn(caplog):
    async def play() -> None:
        street = Street("http://127.0.0.1:9")
        assert await street.second() == 1
        street.scene.now_ms += UPDATE_SPACING_MS_MIN
        assert await street.push.step() == 1
        await street.http.aclose()

    asyncio.run(play())
    assert len(caplog.messages) == 1


def test_nothing_is_mirrored_unless_the_settings_name_it():
    assert HemsSettings().mirrors == {}


GOOD = {"url": "https://cloud.example", "api_key": "k", "fields": {"h-1.u_mv": "field1"}}


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://cloud.example/update"},
        {"url": "ftp://127.0.0.1/update"},
        {"writes_per_day": 8_201},
        {"writes_per_day": 0},
        {"fields": {}},
        {"fields": {f"h-{n}.u_mv": f"field{n}" for n in range(9)}},
        {"fields": {"house-1.token": "field1"}},
    ],
)
def test_a_channel_that_would_leak_or_break_the_limit_is_refused(changes):
    with pytest.raises(ValueError, match=r"cloud channel|quantity"):
        MirrorChannel(**(GOOD | changes))


def test_the_key_is_not_shown():
    assert "secret" not in repr(channel("https://cloud.example"))
