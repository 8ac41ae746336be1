"""A marketplace on the test ledger: a seller, two buyers, and what they do to each other."""

import json
from datetime import timedelta
from typing import Any

from chaincode.shim.testing import TestClient
from tests.unit.energy.community import LISTING, Community, Household, hour_of, milliseconds

HOUR = LISTING
PRICE = 216_000
LOT_WH = 4_000


def founded() -> Community:
    """A prosumer to sell, two consumers to buy, one more prosumer, 40 minutes before the hour."""
    community = Community.found(start="2026-01-15T09:20:00Z")
    community.join()
    community.join(role="consumer")
    community.join(role="consumer")
    community.join()
    return community


def offer(community: Community, home: Household, **changes: Any) -> dict[str, Any]:
    """Post an offer of the home's own source."""
    wish = {"hour": HOUR, "energy_wh": LOT_WH, "price_utoken": PRICE, "charge": "unchecked"}
    wish |= changes
    posted: dict[str, Any] = home.client.submit(
        "marketplace:post_offer",
        wish["hour"],
        home.res_id,
        wish["energy_wh"],
        wish["price_utoken"],
        wish["charge"],
    )
    return posted


def request(community: Community, home: Household, **changes: Any) -> dict[str, Any]:
    """Post a request."""
    wish = {"hour": HOUR, "energy_wh": LOT_WH, "price_utoken": PRICE, "acceptance": "required"}
    wish |= changes
    posted: dict[str, Any] = home.client.submit(
        "marketplace:post_request",
        wish["hour"],
        wish["energy_wh"],
        wish["price_utoken"],
        wish["acceptance"],
    )
    return posted


def call(client: TestClient, function: str, *args: object) -> dict[str, Any]:
    """Submit a function of the marketplace."""
    answer: dict[str, Any] = client.submit(f"marketplace:{function}", *args)
    return answer


def label(community: Community, viewer: Household, post: dict[str, Any]) -> str:
    """What the viewer's table shows for a post."""
    seen = viewer.client.evaluate("marketplace:get_post", post["post_id"])
    return str(seen["label"])


def free(community: Community, home: Household) -> int:
    """Free balance."""
    return int(community.account(home)["free_utoken"])


def locked(community: Community, home: Household) -> int:
    """Locked money."""
    return int(community.account(home)["locked_utoken"])


def flow(community: Community, flows: dict[str, tuple[int, int]], hour: str = HOUR) -> None:
    """Report the meters at both ends of the hour: idgrid -> (imported, exported) Wh."""
    community.deliver(flows, hour)


def to_hour_end(community: Community, *, minutes: int = 0) -> None:
    """Let delivery end without any reading."""
    community.ledger.at(hour_of(HOUR) + timedelta(hours=1, minutes=minutes))


def last_event(community: Community) -> tuple[str, dict[str, Any]]:
    """Name and payload of the newest event."""
    event = community.ledger.events[-1]
    return event.name, json.loads(event.payload)


def now_ms(community: Community) -> int:
    """The ledger's clock."""
    return milliseconds(community.ledger.now)
