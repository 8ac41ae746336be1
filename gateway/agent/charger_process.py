"""`python -m gateway.agent.charger_process --config charger.json`: a charger, night after night.

Everything goes through the gateway: the order signed with the charger's own key, the relay's
commands and the meter's readings with its token. A gateway that is away is asked again; the
relay stays as it was meanwhile, and so it does when this process ends. Buying and switching do not
wait for each other: a relay without power keeps no order back, a refused order no car waiting.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from chaincode.energy.hours import HOUR_MS
from gateway.agent.charger import AnsweredSwitch, Charger, PlugSwitch, RelaySilent
from gateway.agent.charger_night import Night, NightFile
from gateway.agent.charger_settings import ChargerSettings, load_charger_settings
from gateway.agent.charging import Charge, counted_wh
from gateway.agent.checks import NotWhatIAsked
from gateway.agent.client import REQUEST_TIMEOUT_S, HouseholdClient, OrderRefused
from gateway.processes import clock_ms, settings_named
from gateway.timetable.scheduler import sleep_until
from ledger import log_lines

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
RETRY_S = 15.0

logger = logging.getLogger(__name__)


class NothingSent(Exception):  # noqa: N818 - the gateway's or the network's fault
    """It went wrong before the signed order can have left: signing again makes no second one."""


class SignedThroughGateway:
    """`Acting` of a key that this process has; a standing order is known by its transaction."""

    def __init__(self, client: HouseholdClient) -> None:
        self._client = client

    async def submit(self, function: str, *args: str) -> Any:
        """Sign, send, and wait for the block. Raises `NothingSent`, and what `send` raises."""
        try:
            signed = await self._client.signed(function, args)
        except (OrderRefused, NotWhatIAsked, httpx.HTTPError) as error:
            raise NothingSent(repr(error)) from error
        try:
            return {"standing_id": await self._client.send(signed, wait=True)}
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NothingSent(repr(error)) from error


class ChargerProcess:
    """One charger. `ledger` carries signed work and no token, `devices` the charger's token."""

    def __init__(
        self, settings: ChargerSettings, ledger: httpx.AsyncClient, devices: httpx.AsyncClient
    ) -> None:
        self._settings = settings
        self._devices = devices
        self._nights = NightFile(settings.state)
        self._actor = SignedThroughGateway(HouseholdClient(ledger, settings.key.identity))
        self._relay = AnsweredSwitch(PlugSwitch(devices, settings.plug))
        self._is_on = False

    async def run(self) -> None:
        """Charge this night or the next, and every one after it."""
        while True:
            now_ms = clock_ms()
            charge = self._settings.night_at(now_ms)
            night = self._nights.of(charge, now_ms)
            self._nights.keep(night)
            await self._charge(charge, night)

    async def _charge(self, charge: Charge, night: Night) -> None:
        charger = Charger(
            charge,
            self._actor,
            self._relay,
            price_max_utoken_per_kwh=self._settings.price_max_utoken_per_kwh,
            budget_utoken=self._settings.budget_utoken,
            planned=night.planned,
        )
        if not night.has_tried:
            await self._sign(charger, night)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._sign_later(charger, night))
            await self._follow(charger, night)

    async def _follow(self, charger: Charger, night: Night) -> None:
        """Open outside the window and after its last whole hour, inside as planned."""
        charge = charger.charge
        await self._until_done(self._switch_off, charge.from_ms)
        await sleep_until(charge.from_ms, clock_ms)
        for hour in charge.hours:
            if hour + HOUR_MS > clock_ms():
                await sleep_until(hour, clock_ms)
                await self._until_done(lambda: self._switch(charger, night), hour + HOUR_MS)
        await sleep_until(charge.hours[-1] + HOUR_MS, clock_ms)
        await self._until_done(self._switch_off, charge.until_ms)
        await sleep_until(charge.until_ms, clock_ms)  # and before the next window it is opened

    async def _sign_later(self, charger: Charger, night: Night) -> None:
        """Ends at the latest when no hour can be bought any more."""
        while not night.has_tried:
            await asyncio.sleep(RETRY_S)
            await self._sign(charger, night)

    async def _sign(self, charger: Charger, night: Night) -> None:
        """Once: an order of which nobody knows whether it was taken must not be made again.

        What never left, for a gateway that is not there or refused to prepare it, may.
        """
        prices = self._settings.expected_prices(charger.charge)
        night.planned, night.has_tried = charger.expect(prices, clock_ms()), True
        self._nights.keep(night)
        if not night.planned:
            logger.info("no hour of this window can be bought any more; the supplier delivers")
            return
        try:
            night.standing_id = await charger.sign(night.planned)
        except NothingSent as error:
            logger.warning("nothing is bought yet, again in %.0f s: %s", RETRY_S, error)
            night.has_tried = False
            self._nights.keep(night)
            return
        except (OrderRefused, httpx.HTTPError) as error:
            logger.warning("the night is not bought, the supplier delivers: %r", error)
            return
        self._nights.keep(night)
        logger.info("order %s buys %d hours", night.standing_id, len(night.planned))

    async def _switch(self, charger: Charger, night: Night) -> None:
        now_ms = clock_ms()
        charged_wh = await self._charged_wh(charger.charge, night, now_ms)
        self._is_on = await charger.switch_for(now_ms, charged_wh)
        logger.info("%d Wh so far, relay %s", charged_wh, "closed" if self._is_on else "open")

    async def _charged_wh(self, charge: Charge, night: Night, now_ms: int) -> int:
        """Since the window began; a meter that never reported leaves it at nothing."""
        answer = await self._devices.get(f"/v1/meters/{self._settings.meter}/reading")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return 0
        answer.raise_for_status()
        register_wh, t_end_ms = (int(answer.json()[name]) for name in ("import_wh", "t_end_ms"))
        if night.import_wh is None:
            night.import_wh = register_wh
            self._nights.keep(night)
        power_w = charge.power_w if self._is_on else 0
        return counted_wh(register_wh - night.import_wh, t_end_ms, now_ms, power_w)

    async def _switch_off(self) -> None:
        await self._relay.switch(is_on=False)
        self._is_on = False
        logger.info("outside its window, relay open")

    async def _until_done(self, act: Callable[[], Awaitable[None]], ends_ms: int) -> None:
        """Again and again while gateway or relay are away or refuse, until the instant."""
        while clock_ms() < ends_ms:
            try:
                return await act()
            except (RelaySilent, httpx.HTTPError) as error:
                logger.warning("it is not done, again in %.0f s: %r", RETRY_S, error)
            await asyncio.sleep(RETRY_S)
        return None


async def serve(settings: ChargerSettings) -> None:
    """Run until cancelled."""
    url, token = settings.key.gateway, {"Authorization": f"Bearer {settings.token}"}
    async with (
        httpx.AsyncClient(base_url=url, timeout=REQUEST_TIMEOUT_S) as ledger,
        httpx.AsyncClient(base_url=url, timeout=REQUEST_TIMEOUT_S, headers=token) as devices,
    ):
        await ChargerProcess(settings, ledger, devices).run()


def main() -> int:
    """Read the configuration and charge."""
    parser = argparse.ArgumentParser(
        prog="gridledger charger",
        description="A car's charger with its own account: buys the cheap hours of its window and"
        " switches its relay, until a signal ends it (docs/flexible-loads.md).",
    )
    log_lines.configure(logging.INFO, "%(asctime)s %(name)s %(message)s")
    settings = settings_named(
        parser, "charger.json (docs/flexible-loads.md)", load_charger_settings
    )
    try:
        asyncio.run(serve(settings))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except ValueError as error:
        logger.error("%s", error)  # noqa: TRY400 - the file named in it is wrong, not the program
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
