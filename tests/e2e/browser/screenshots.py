"""`python -m tests.e2e.browser.screenshots`: take the pictures of the pages anew.

They show the pages as they are: real Chromium before a real gateway, a street on the test ledger.
"""

import argparse
import base64
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import Browser, Page

from chaincode.energy.hours import DAY_MS
from gateway.demo.tariffs import TARIFF_VALID_MS, coming_month_ms, equal_parts, next_slot_ms
from gateway.hems.batteries import Observation
from gateway.hems.devices import DeviceBook
from gateway.hems.plausibility import Limits
from gateway.hems.running import limits_for, open_service
from gateway.hems.series import Arrival, SeriesStore
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.device_messages import DONE, ONLINE, Acknowledgement, DeviceState
from gateway.ports import ApplianceEnergy, Measured
from tests.e2e.browser.chromium import chromium, page_in, settled
from tests.e2e.browser.page_addresses import names_in
from tests.e2e.browser.street import (
    FIRST_HOUR,
    OPEN_HOUR,
    Street,
    live_through,
    open_with_orders,
    settle_in,
)
from tests.e2e.browser.village import HOUR_MS, Village, village
from tests.unit.energy.community import hour_of, milliseconds

PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
HOURS = 30
WEBP_QUALITY = 60
BATTERY_WH = 10_000
CHARGE_PERCENT = (62, 55, 48, 41, 36, 33, 30, 28, 35, 52, 70, 84)
"""Of the last hours, the latest at the end."""
WEEK_HOURS = 7 * 24
LOST_HOURS = (5, 31, 32, 33, 34, 35, 36, 100)
"""Before now: readings that never came."""
PAGES = {
    "home": "/",
    "market": "/market",
    "marketplace": "/marketplace",
    "meter": "/meter?kind=day&day=2026-01-14",
    "devices": "/devices",
    "plugs": "/devices#plugs",
    "production": "/production",
    "account": "/account",
    "standing": "/standing?side=offer",
}
MANAGER_PAGES = {
    "console": "/console",
    "console-members": "/console/members",
    "console-meters": "/console/meters",
    "console-listings": "/console/listings",
    "console-prices": "/console/prices",
    "console-sharing": "/console/sharing",
    "console-statements": "/console/statements",
    "console-audit": "/console/audit",
    "explorer": "/explorer",
}
API_PAGES = {
    "api-transaction": "/explorer/transactions/{tx_id}",
    "api-events": "/explorer/events",
}
"""What a script's calls come to, as a household sees it."""
ROOF, PLUGS = "roof-0", ("fridge", "water-heater")
MANAGER = ""
"""Who has no IDgrid."""


@dataclass(frozen=True, slots=True)
class Devices:
    """A meter that tells its voltage, and three plugs."""

    def latest(self, device_id: str) -> Measured | None:
        if device_id in PLUGS:
            return Measured(device_id, at_ms=0, power_w=85 if device_id == PLUGS[0] else 640)
        is_meter = device_id.startswith("meter-")
        return Measured(device_id, at_ms=0, voltage_mv=231_400) if is_meter else None

    def appliances(self, owner_idgrid: str, from_ms: int, until_ms: int):
        energies = {"Fridge": 1_180, "Heat pump": 4_650, "Washing machine": 840}
        return [ApplianceEnergy(name, name, wh) for name, wh in energies.items()]


def main() -> int:
    """Write every picture; the folder's other files stay."""
    argparse.ArgumentParser(
        prog="python -m tests.e2e.browser.screenshots",
        description="Take the pictures of the pages in docs/pictures anew.",
    ).parse_args()
    PICTURES.mkdir(exist_ok=True)
    with village(measurements=Devices()) as it, chromium() as browser:
        street = settle_in(it)
        _let_meters_have_a_past(it, street)
        live_through(it, street, hours=HOURS)
        _add_battery(it, street)
        open_with_orders(it, street)  # the hour's clock: what devices say is not of its future
        _let_devices_report(it, street)
        _let_equipment_report(it, street)
        it.ledger.block_time_ms = it.services.clock_ms()
        _let_neighbours_post(it, street)
        for name, path in PAGES.items():
            _take(browser, it, street, name, path, width=360)
        for name in ("home", "market", "marketplace"):
            _take(browser, it, street, name, PAGES[name], width=1280, scheme="dark")
        _take(browser, it, street, "home-es", "/", width=360, locale="es-CL")
        for name, path in API_PAGES.items():
            address = path.format(**names_in(it, street))
            _take(browser, it, street, name, address, width=1280)
        _let_devices_wait(it, street)
        _publish(it, street)
        for name, path in MANAGER_PAGES.items():
            _take(browser, it, street, name, path, width=1280, who=MANAGER)
        for name in ("console", "console-statements"):
            _take(browser, it, street, name, MANAGER_PAGES[name], width=360, who=MANAGER)
    return 0


def _take(
    browser: Browser,
    it: Village,
    street: Street,
    name: str,
    path: str,
    *,
    width: int,
    scheme: str = "light",
    locale: str = "en-GB",
    who: str | None = None,
) -> None:
    idgrid = street.sunny.idgrid if who is None else who
    with page_in(browser, width=width, color_scheme=scheme, locale=locale) as page:
        page.goto(it.url + it.sign_in(idgrid, is_manager=idgrid == MANAGER))
        page.goto(it.url + path)
        settled(page)
        page.wait_for_load_state("networkidle")
        (PICTURES / f"{name}-{width}.webp").write_bytes(_webp(page))
    sys.stdout.write(f"{name}-{width}.webp\n")


def _webp(page: Page) -> bytes:
    """The visible part; Playwright itself writes no WebP."""
    session = page.context.new_cdp_session(page)
    options = {"format": "webp", "quality": WEBP_QUALITY}
    return base64.b64decode(session.send("Page.captureScreenshot", options)["data"])


def _let_meters_have_a_past(it: Village, street: Street) -> None:
    """Most of a week of hourly readings, a few of them lost, before the street's hours begin."""
    last_end_ms = milliseconds(hour_of(FIRST_HOUR)) - HOUR_MS
    hours = [at for at in range(WEEK_HOURS - HOURS) if at not in LOST_HOURS]
    for home in street.homes:
        meter = VirtualMeter(home.meter_id, home.meter.private_key)
        it.meters[home.meter_id] = meter
        _keep(it, meter, [last_end_ms - at * HOUR_MS for at in reversed(hours)])


def _keep(it: Village, meter: VirtualMeter, ends_ms: Sequence[int]) -> None:
    """Readings of a meter at these instants, as the collector stores them."""
    series = SeriesStore(it.services.readmodel.database, Limits(age_ms_max=8 * DAY_MS), 0)
    arrivals = [Arrival(meter.meter_id, b"", meter.read(end_ms)) for end_ms in ends_ms]
    kept = series.keep(arrivals, it.services.clock_ms())
    assert len(kept.accepted) == len(ends_ms), kept.set_aside


def _let_devices_report(it: Village, street: Street) -> None:
    """Everyone is online but one."""
    heard = [home.meter_id for home in street.homes if home is not street.bakery]
    states = {name: DeviceState(device_id=name, state=ONLINE, tier="B") for name in heard}
    DeviceBook(it.services.readmodel.database).heard(heard, it.services.clock_ms(), states=states)


def _let_equipment_report(it: Village, street: Street) -> None:
    """A meter at the panels, and two plugs, one of them switched by hand."""
    owner, roof = street.sunny, VirtualMeter(ROOF)

    def register(community) -> None:
        key = owner.meter.public_key.hex()
        roof_key = roof.public_key_pem
        at_roof = (ROOF, "meter", owner.idgrid, roof_key, owner.res_id)
        community.dso.submit("devices:register", *at_roof)
        for plug in PLUGS:
            community.dso.submit("devices:register", plug, "plug", owner.idgrid, key)
        for device in (ROOF, *PLUGS):
            community.dso.submit("registry:approve_meter", device)

    it.act(register)
    now_ms = it.services.clock_ms()
    service = open_service(
        it.services.readmodel.database,
        it.services.batteries,
        limits_for(HOUR_MS, HOUR_MS),
        now_ms=now_ms,
    )
    stores = service.stores
    first_ms = now_ms // HOUR_MS * HOUR_MS - HOURS * HOUR_MS
    for number in range(HOURS + 1):
        at_ms = first_ms + number * HOUR_MS
        local_hour = (
            at_ms // HOUR_MS + it.services.local_time.offset_minutes(at_ms) // 60 - 1
        ) % 24
        if number:
            roof.run_hour(load_wh=0, pv_wh=max(0, 2_600 - 380 * abs(local_hour - 12)))
        _keep(it, roof, [at_ms])
    hours_ago = range(len(CHARGE_PERCENT) - 1, -1, -1)
    for before, percent in zip(hours_ago, CHARGE_PERCENT, strict=True):
        at_ms = first_ms + (HOURS - before) * HOUR_MS
        charge = Observation(at_ms, BATTERY_WH * percent // 100)
        stores.charges.keep([("battery-0", charge)], at_ms)
    said = {name: DeviceState(name, ONLINE, now_ms, plug_on=1) for name in PLUGS}
    said |= {ROOF: DeviceState(ROOF, ONLINE, now_ms)}
    stores.devices.heard(said, now_ms, states=said)
    told = stores.switches.issue(PLUGS[0], is_on=True, now_ms=now_ms, lifetime_ms=5_000)
    answer = Acknowledgement(PLUGS[0], told.command_id, DONE, now_ms)
    stores.switches.note([answer], {}, now_ms)
    assert it.app is not None
    it.app.state.services = replace(it.services, hems=service)


def _let_neighbours_post(it: Village, street: Street) -> None:
    """A deal of the household whose pages these are, an offer and a request that are open."""

    def post(community) -> None:
        own = ("marketplace:post_offer", OPEN_HOUR, street.sunny.res_id, "800", "48000")
        offer = street.sunny.client.submit(*own)
        street.flat.client.submit("marketplace:buy", offer["post_id"])
        other = ("marketplace:post_offer", OPEN_HOUR, street.modest.res_id, "500", "27500")
        street.modest.client.submit(*other)
        street.bakery.client.submit("marketplace:post_request", OPEN_HOUR, "1200", "72000")

    it.act(post)


def _publish(it: Village, street: Street) -> None:
    """Tariffs and sharing keys, for now and for later."""
    now_ms = it.services.clock_ms()
    month_ms = coming_month_ms(now_ms, it.services.local_time)
    valid_ms = str(TARIFF_VALID_MS)
    by_use = {"kind": "dynamic", "slot_minutes": 15, "effective_from_ms": next_slot_ms(now_ms)}
    parts = equal_parts([home.idgrid for home in street.homes])
    fixed = {"kind": "static", "slot_minutes": 15, "effective_from_ms": month_ms, "parts": parts}

    def publish(community) -> None:
        for series, price, from_ms in (
            ("retail", "220000", "0"),
            ("feed_in", "80000", "0"),
            ("feed_in", "84000", str(month_ms)),
        ):
            community.manager.submit("oracle:publish_price", series, price, from_ms, valid_ms)
        for key in (by_use, fixed):
            community.manager.submit("sharing:agree", json.dumps(key))

    it.act(publish)


def _let_devices_wait(it: Village, street: Street) -> None:
    """Something in the manager's queue."""

    def register(community) -> None:
        key, owner = street.flat.meter.public_key.hex(), street.flat.idgrid
        community.manager.submit("registry:register_meter", "meter-0042", owner, key)
        sunny = street.modest.idgrid
        community.manager.submit("registry:register_res", "sun-0042", sunny, "solar", 3_200)

    it.act(register)


def _add_battery(it: Village, street: Street) -> None:
    def register(community) -> None:
        owner = street.sunny
        owner.client.submit(
            "registry:register_res", "battery-0", owner.idgrid, "battery", BATTERY_WH
        )
        community.dso.submit("registry:approve_res", "battery-0")

    it.act(register)


if __name__ == "__main__":
    sys.exit(main())
