"""An electric car's charger: a participant with its own key and account that buys what it charges.

It plans its night (`gateway.agent.charging`), signs one standing order for the planned hours with
its own key, and switches its relay hour by hour. Who carries the order out, a scheduler or an
agent's key, can do no more than the order says; the account has no more than was put there.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from chaincode.energy.hours import HOUR_MS
from gateway.agent.charging import Charge, plan, standing_order
from gateway.mqtt.device_messages import DONE, FINAL

ANSWER_LOOKS_MAX, ANSWER_LOOK_S = 40, 0.5
"""Longer than a command lives at the gateway, which then calls it failed."""


class Acting(Protocol):
    """The charger's own key on the ledger; `gateway.ledger_access.actor.Actor` is one."""

    async def submit(self, function: str, *args: str) -> Any:
        """Run a function and wait for its block."""


class Switching(Protocol):
    """The charger's relay."""

    async def switch(self, *, is_on: bool) -> Any:
        """Send the command; it has an id and an expiry, and is answered by the device."""


@dataclass(frozen=True, slots=True)
class PlugSwitch:
    """A relay behind the gateway; `http` holds a token with `own:read` and `devices:switch`."""

    http: httpx.AsyncClient
    device_id: str

    async def switch(self, *, is_on: bool) -> str:
        """See `Switching`; returns where the command's answer is found.

        Raises `httpx.HTTPStatusError` when the gateway refuses.
        """
        answer = await self.http.post(f"/v1/devices/{self.device_id}/switch", json={"on": is_on})
        answer.raise_for_status()
        return answer.headers["Location"]


class RelaySilent(Exception):  # noqa: N818 - the relay's fault
    """The command was not carried out; the text says why."""


@dataclass(frozen=True, slots=True)
class AnsweredSwitch:
    """A `PlugSwitch` whose relay has done it when `switch` returns."""

    plug: PlugSwitch

    async def switch(self, *, is_on: bool) -> None:
        """See `Switching`; raises `RelaySilent`, and what `PlugSwitch` raises."""
        place = await self.plug.switch(is_on=is_on)
        for _ in range(ANSWER_LOOKS_MAX):
            answer = await self.plug.http.get(place)
            answer.raise_for_status()
            command = answer.json()
            if command["status"] == DONE:
                return
            if command["status"] in FINAL:
                raise RelaySilent(f"{self.plug.device_id}: {command['reason']}")
            await asyncio.sleep(ANSWER_LOOK_S)
        raise RelaySilent(f"{self.plug.device_id}: no answer")


@dataclass(slots=True)
class Charger:
    """One night of one charger; prices in micro-tokens per kWh, money in micro-tokens."""

    charge: Charge
    actor: Acting
    relay: Switching
    price_max_utoken_per_kwh: int
    budget_utoken: int
    planned: dict[int, int] = field(default_factory=dict)
    """What was signed: energy per hour in Wh, by the instant it begins."""
    given_wh: int = 0
    """What is charged when the hour that was switched last is over."""

    def expect(self, prices_utoken_per_kwh: Mapping[int, int], now_ms: int = 0) -> dict[int, int]:
        """What it would sign now, by expected prices; nothing when no hour is left to buy."""
        return plan(self.charge, prices_utoken_per_kwh, now_ms=now_ms, charged_wh=self.given_wh)

    async def sign(self, planned: dict[int, int]) -> str:
        """Sign the order for what `expect` said; returns the order's id."""
        self.planned = planned
        order = standing_order(
            self.charge,
            self.planned,
            price_utoken_per_kwh=self.price_max_utoken_per_kwh,
            budget_utoken=self.budget_utoken,
        )
        signed = await self.actor.submit("standing:place", json.dumps(order))
        return str(signed["standing_id"])

    async def switch_for(self, now_ms: int, charged_wh: int) -> bool:
        """Switch for the hour that runs; returns whether it charges.

        `charged_wh` is what the meter says so far. What an hour did not give is made up for in the
        first hours that were not planned; there the supplier delivers, at the retail price.
        """
        hour = now_ms // HOUR_MS * HOUR_MS
        signed_first = dict.fromkeys(self.planned, 0)
        left = plan(self.charge, signed_first, now_ms=hour, charged_wh=charged_wh)
        is_on = hour in left
        self.given_wh = charged_wh + left.get(hour, 0)
        await self.relay.switch(is_on=is_on)
        return is_on
