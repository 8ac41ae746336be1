"""What a gateway tells of its market and its meters, over its REST API."""

import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from network.plan import Plan
from network.top.snapshot import DeviceState, GatewayState, ListingState, Phase

TIMEOUT_S = 5.0
ORDERS_READ_MAX = 500
LISTINGS_READ_MAX = 48
TAKES_ORDERS = "AUTHORIZE_OFFERS"
PHASE_ENDS = {
    "AUTHORIZE_OFFERS": ("taking orders", "gate_closure_ms"),
    "REVEALING": ("orders are revealed", "reveal_until_ms"),
    "BIDS_CLOSED": ("gate closed", "delivery_start_ms"),
    "CLEARING": ("clearing", "delivery_start_ms"),
    "CLEARED": ("cleared", "delivery_start_ms"),
    "DELIVERING": ("delivering", "delivery_end_ms"),
    "SETTLING": ("settling", "settlement_end_ms"),
}
"""By state: what people call it, and which of the listing's times ends it."""
AFTER_DELIVERY = ("waiting for settlement", "settlement_end_ms")
SILENT_ALARM, SILENT = "silent", "silent"


class GatewayUnreachableError(Exception):
    """Nothing answers there, or no gateway; the text says which."""


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Where a gateway is, whose certificate it has, and a token to ask for devices."""

    url: str
    ca: Path | None = None
    token: str = ""


def address_beside(plan: Plan, plan_path: Path) -> GatewayAddress:
    """As `gateway.json` beside the plan says, else where the plan has its gateway."""
    settings = plan_path.absolute().with_name("gateway.json")
    if not settings.is_file():
        return GatewayAddress(f"http://{plan.gateway_host}:{plan.gateway_port}")
    found = json.loads(settings.read_text(encoding="utf-8"))
    tls = found.get("tls")
    return GatewayAddress(
        url=f"{'https' if tls else 'http'}://{found['host']}:{found['port']}",
        ca=Path(tls["ca"]) if tls and "ca" in tls else None,
        token=str(found.get("watch_token", "")),
    )


class GatewayWatch:
    """Asks one gateway again and again over one connection."""

    def __init__(self, address: GatewayAddress) -> None:
        self._url, self._has_token = address.url, bool(address.token)
        headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
        verify = ssl.create_default_context(cafile=str(address.ca)) if address.ca else True
        self._http = httpx.AsyncClient(
            base_url=address.url,
            headers=headers,
            timeout=TIMEOUT_S,
            verify=verify,
            trust_env=False,
        )

    async def look(self, now_ms: int) -> GatewayState:
        """Raises `GatewayUnreachableError`."""
        try:
            blocks = await self._get("/v1/blocks", limit=1)
            return GatewayState(
                url=self._url,
                height=int(blocks["height"]),
                listing=await self._listing(now_ms),
                devices=await self._devices() if self._has_token else None,
            )
        except httpx.HTTPStatusError as error:
            raise GatewayUnreachableError(
                f"{self._url}{error.request.url.path} answers {error.response.status_code}"
            ) from error
        except httpx.HTTPError as error:
            raise GatewayUnreachableError(f"no gateway answers at {self._url}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise GatewayUnreachableError(f"what answers at {self._url} is no gateway") from error

    async def close(self) -> None:
        """End the connection."""
        await self._http.aclose()

    async def _get(self, path: str, **query: str | int) -> Any:
        answer = await self._http.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    async def _listing(self, now_ms: int) -> ListingState | None:
        listings = (await self._get("/v1/listings", limit=LISTINGS_READ_MAX))["items"]
        shown = chosen(listings)
        if shown is None:
            return None
        name = shown["listing_id"]
        book = await self._get(f"/v1/listings/{name}/orders", limit=ORDERS_READ_MAX)
        result = await self._result(name)
        offers = [order["energy_wh"] for order in book["items"] if order["side"] == "offer"]
        bids = [order["energy_wh"] for order in book["items"] if order["side"] == "bid"]
        return ListingState(
            listing_id=name,
            phase=phase_of(shown, now_ms),
            offer_count=len(offers),
            offered_wh=sum(offers),
            bid_count=len(bids),
            wanted_wh=sum(bids),
            is_whole_book=book["next"] is None,
            price_utoken_per_kwh=result.get("price_utoken_per_kwh"),
            matched_wh=result.get("quantity_wh"),
        )

    async def _result(self, name: str) -> dict[str, Any]:
        """Empty until the auction has decided."""
        answer = await self._http.get(f"/v1/listings/{name}/result")
        if answer.status_code == httpx.codes.CONFLICT:
            return {}
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def _devices(self) -> tuple[DeviceState, ...]:
        silent = {
            alarm["device_id"]
            for alarm in await self._get("/v1/alarms")
            if alarm["kind"] == SILENT_ALARM and alarm["cleared_ms"] is None
        }
        return tuple(
            DeviceState(
                device_id=device["device_id"],
                owner_idgrid=device["owner_idgrid"],
                state=SILENT if device["device_id"] in silent else device["state"],
                last_seen_ms=device["last_seen_ms"],
                refused=device["refused"],
            )
            for device in await self._get("/v1/devices")
        )


def chosen(listings: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The one that takes orders with the earliest gate, else the first (the latest). Pure."""
    open_now = [listing for listing in listings if listing["state"] == TAKES_ORDERS]
    if open_now:
        return min(open_now, key=lambda listing: int(listing["gate_closure_ms"]))
    return listings[0] if listings else None


def phase_of(listing: dict[str, Any], now_ms: int) -> Phase:
    """What a listing is doing, in words, and when that ends. Pure."""
    state = str(listing["state"])
    if state not in PHASE_ENDS:
        return Phase(state.lower(), None)
    name, end = PHASE_ENDS[state]
    if state in {"CLEARED", "DELIVERING"} and now_ms >= listing["delivery_end_ms"]:
        name, end = AFTER_DELIVERY
    elif state == "CLEARED" and now_ms >= listing["delivery_start_ms"]:
        name, end = PHASE_ENDS["DELIVERING"]
    return Phase(name, int(listing[end]))
