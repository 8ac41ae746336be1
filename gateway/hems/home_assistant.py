"""What a household's Home Assistant is told: how to show it, and how things stand.

One device for the market, discovered by its retained configuration (Home Assistant's MQTT
discovery, device form); `home_assistant_devices` has those that measure and switch. Nothing of the
market can be commanded: orders are signed with the household's own key.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.books.community import Community
from gateway.books.market import Market
from gateway.books.order_progress import OrderState
from gateway.books.own_orders import OwnOrders
from gateway.mqtt.device_messages import LOST, ONLINE
from gateway.mqtt.topics import discovery_topic, gateway_state_topic, market_topic
from gateway.readmodel import market_queries
from gateway.readmodel.queries import ReadModel

LISTINGS_LOOKED_AT = 48
UTOKEN_PER_TOKEN = 1_000_000
FORMAT_VERSION = 1
AHEAD = frozenset({OrderState.OPEN, OrderState.GATE_CLOSED})
SIGNS = {"bid": 1, "offer": -1}
ORIGIN = {"name": "Gridledger gateway"}
HOUSEHOLD_MODEL = "Household"
Words = Callable[[str], str]
"""An English name as a household says it; `str` leaves it English."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand for a household; None for what is not known.

    Energy is positive where it is bought, negative where it is sold. `position_wh` is matched for
    hours not delivered yet, `ordered_wh` waits for its gate to close.
    """

    price_utoken_per_kwh: int | None
    price_hour: str | None
    next_gate_ms: int | None
    position_wh: int
    ordered_wh: int
    balance_utoken: int
    locked_utoken: int

    def message(self) -> bytes:
        """As it is published, retained; the gate as ISO 8601."""
        gate_ms = self.next_gate_ms
        content = {
            "v": FORMAT_VERSION,
            "price_utoken_per_kwh": self.price_utoken_per_kwh,
            "price_hour": self.price_hour,
            "next_gate": None if gate_ms is None else iso_instant(gate_ms),
            "position_wh": self.position_wh,
            "ordered_wh": self.ordered_wh,
            "balance_utoken": self.balance_utoken,
            "locked_utoken": self.locked_utoken,
        }
        return json.dumps(content, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True, slots=True)
class StandingSource:
    """Reads how things stand out of the gateway's copy of the ledger; blocks."""

    readmodel: ReadModel
    market: Market
    community: Community

    def of(self, idgrid: str) -> Standing:
        """Of one household, all at one height."""
        with self.readmodel.at_one_height():
            return self._of(idgrid)

    def _of(self, idgrid: str) -> Standing:
        gate = market_queries.next_to_close(self.readmodel)
        latest = market_queries.listings(self.readmodel, limit=LISTINGS_LOOKED_AT).items
        priced = [one for one in latest if one.price_utoken_per_kwh is not None]
        now = next((one for one in priced if one.state == "DELIVERING"), None)
        price = now or next(iter(priced), None)
        latest_listings = self.market.latest(LISTINGS_LOOKED_AT)
        orders = OwnOrders(self.readmodel, idgrid).of_listings(latest_listings)
        account = self.community.account(idgrid)
        return Standing(
            price_utoken_per_kwh=price.price_utoken_per_kwh if price else None,
            price_hour=price.listing_id if price else None,
            next_gate_ms=gate.gate_closure_ms if gate else None,
            position_wh=sum(
                SIGNS[one.side] * one.matched_wh
                for one in orders
                if one.state in {OrderState.MATCHED, OrderState.DELIVERING}
            ),
            ordered_wh=sum(
                SIGNS[one.side] * one.energy_wh for one in orders if one.state in AHEAD
            ),
            balance_utoken=account.balance_utoken if account else 0,
            locked_utoken=account.locked_utoken if account else 0,
        )


def discovery(
    community: str, community_name: str, idgrid: str, words: Words = str
) -> tuple[str, bytes]:
    """Topic and retained payload that make Home Assistant show a household's device."""
    device_id = identifier(community, idgrid)
    content = {
        "device": {
            "identifiers": [device_id],
            "name": community_name,
            "manufacturer": "Gridledger",
            "model": words(HOUSEHOLD_MODEL),
            "serial_number": idgrid,
        },
        "origin": ORIGIN,
        "availability": [available_by(gateway_state_topic(community))],
        "state_topic": market_topic(community, idgrid),
        "components": {
            name: {"platform": "sensor", "unique_id": f"{device_id}-{name}", "qos": 1}
            | named(sensor, words)
            for name, sensor in _sensors().items()
        },
    }
    topic = discovery_topic(community, idgrid)
    return topic, json.dumps(content, separators=(",", ":")).encode()


def named(component: dict[str, Any], words: Words) -> dict[str, Any]:
    """What is shown, with its name in the household's language."""
    return component | {"name": words(component["name"])}


def identifier(community: str, name: str) -> str:
    """By which Home Assistant knows a household or a device for ever."""
    return f"gridledger-{community}-{name}"


def available_by(topic: str) -> dict[str, str]:
    """Where a `state` of `online` or `lost` is told."""
    return {
        "topic": topic,
        "value_template": "{{ value_json.state }}",
        "payload_available": ONLINE,
        "payload_not_available": LOST,
    }


def shown(field: str) -> str:
    """The template that shows a field as it is."""
    return f"{{{{ value_json.{field} }}}}"


def iso_instant(instant_ms: int) -> str:
    """ISO 8601, as sensors of the class `timestamp` want it."""
    instant = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=instant_ms)
    return instant.isoformat(timespec="seconds")


def _sensors() -> dict[str, dict[str, Any]]:
    amount = {"state_class": "measurement", "unit_of_measurement": "Wh"}
    tokens = {"state_class": "measurement", "unit_of_measurement": "token"}
    return {
        "price": {
            "name": "Energy price",
            "state_class": "measurement",
            "unit_of_measurement": "token/kWh",
            "value_template": _in_tokens("price_utoken_per_kwh"),
        },
        "next_gate": {
            "name": "Next gate",
            "device_class": "timestamp",
            "value_template": shown("next_gate"),
        },
        "position": {"name": "My position", "value_template": shown("position_wh")} | amount,
        "ordered": {"name": "My open orders", "value_template": shown("ordered_wh")} | amount,
        "balance": {"name": "My balance", "value_template": _in_tokens("balance_utoken")} | tokens,
    }


def _in_tokens(field: str) -> str:
    value = f"value_json.{field}"
    return f"{{{{ {value} / {UTOKEN_PER_TOKEN} if {value} is not none else none }}}}"
