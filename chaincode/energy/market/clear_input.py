"""The order book of `gridledger clear`, read strictly from JSON.

Whole numbers only, no duplicate keys, no NaN, bounded size; what is wrong is named in one line.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from chaincode.energy.market.book import Order, Side
from chaincode.energy.market.preferences import Preferences

ORDERS_MAX = 1_000_000
NUMBER_MAX = 2**63 - 1
INPUT_CHARACTERS_MAX = 512 * 1024 * 1024
ID_CHARACTERS_MAX = 256
SHOWN_CHARACTERS_MAX = 60
NAMES_MAX = 10
"""Producers or sources a bid may prefer, or an offer be known by."""
DIGITS_MAX = len(str(NUMBER_MAX))


class BadInput(Exception):  # noqa: N818 - the field's word
    """The input breaks a rule; the text is one line that names the order and the reason."""


@dataclass(frozen=True, slots=True)
class GivenBook:
    """Orders and bounds; `priority`: ids of bids to be served first at a regulated price."""

    orders: list[Order]
    floor_price: int | None
    cap_price: int | None
    priority: frozenset[str]
    preferences: Preferences | None


def parse_book(text: str) -> GivenBook:
    """Read `{"floor_price", "cap_price", "orders": [...]}`; raises `BadInput`."""
    if len(text) > INPUT_CHARACTERS_MAX:
        raise BadInput(f"the input is larger than {INPUT_CHARACTERS_MAX} characters")
    book = _load(text)
    if not isinstance(book, dict):
        raise BadInput('the input must be one object with "orders"')
    floor_price = _price_bound(book, "floor_price")
    cap_price = _price_bound(book, "cap_price")
    if floor_price is not None and cap_price is not None and floor_price > cap_price:
        raise BadInput(f"floor_price {floor_price} is above cap_price {cap_price}")
    entries = book.get("orders")
    if not isinstance(entries, list):
        raise BadInput('"orders" is missing or not a list')
    if len(entries) > ORDERS_MAX:
        raise BadInput(f"more than {ORDERS_MAX} orders: {len(entries)}")
    orders = [_order(entry, index) for index, entry in enumerate(entries)]
    _refuse_duplicates(orders)
    return GivenBook(
        orders=orders,
        floor_price=floor_price,
        cap_price=cap_price,
        priority=frozenset(
            order.order_id
            for order, entry in zip(orders, entries, strict=True)
            if _is_priority(entry, order)
        ),
        preferences=_preferences(orders, entries),
    )


def _load(text: str) -> object:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise BadInput(f"not JSON: {error.msg} at line {error.lineno}") from None
    except RecursionError:
        raise BadInput("not an order book: nested too deeply") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        name = f"order {shown(members['id'])}" if "id" in members else "the book"
        raise BadInput(f"{name}: key {shown(twice)} appears twice")
    return members


def _integer(digits: str) -> int:
    """Numbers too long to be an amount become one that is just out of range, and is refused."""
    if len(digits) <= DIGITS_MAX + 1:
        return int(digits)
    return -1 if digits.startswith("-") else NUMBER_MAX + 1


def _no_constant(name: str) -> NoReturn:
    raise BadInput(f"{name} is not a number of the order book")


def _price_bound(book: Mapping[str, object], field: str) -> int | None:
    if field not in book:
        raise BadInput(f'"{field}" is missing (null means none)')
    value = book[field]
    return None if value is None else _amount(value, field, "the book")


def _order(entry: object, index: int) -> Order:
    if not isinstance(entry, dict):
        raise BadInput(f"order {index}: not an object")
    order_id = entry.get("id")
    if not isinstance(order_id, str) or not 0 < len(order_id) <= ID_CHARACTERS_MAX:
        raise BadInput(
            f"order {index}: id is missing or not a text of 1 to {ID_CHARACTERS_MAX} characters"
        )
    name = f"order {shown(order_id)}"
    for field in ("side", "price", "qty", "seq"):
        if field not in entry:
            raise BadInput(f"{name}: {field} is missing")
    return Order(
        order_id=order_id,
        side=_side(entry["side"], name),
        price_utoken_per_kwh=_amount(entry["price"], "price", name),
        energy_wh=_amount(entry["qty"], "qty", name),
        sequence=_amount(entry["seq"], "seq", name),
    )


def _is_priority(entry: Mapping[str, object], order: Order) -> bool:
    value = entry.get("priority", False)
    if not isinstance(value, bool):
        raise BadInput(f"order {shown(order.order_id)}: priority is {shown(value)}, not a boolean")
    if value and order.side != "bid":
        raise BadInput(f"order {shown(order.order_id)}: only a bid has priority")
    return value


def _preferences(orders: list[Order], entries: list[Mapping[str, object]]) -> Preferences | None:
    """Wishes of bids (`preferred`) for names of offers (`source`); None if there are none."""
    sources: dict[str, list[str]] = {}
    wanted: dict[str, list[str]] = {}
    for order, entry in zip(orders, entries, strict=True):
        field, named = ("preferred", wanted) if order.side == "bid" else ("source", sources)
        if field in entry:
            named[order.order_id] = _names(entry[field], field, order)
    return Preferences(sources=sources, wanted=wanted) if wanted else None


def _names(value: object, field: str, order: Order) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadInput(f"order {shown(order.order_id)}: {field} is no text or list of texts")
    if len(names) > NAMES_MAX:
        raise BadInput(f"order {shown(order.order_id)}: {field} has more than {NAMES_MAX} names")
    return names


def _side(value: object, name: str) -> Side:
    if value == "bid":
        return "bid"
    if value == "offer":
        return "offer"
    raise BadInput(f"{name}: side is {shown(value)}, neither bid nor offer")


def _amount(value: object, field: str, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):  # bool is a kind of int
        raise BadInput(f"{name}: {field} is {shown(value)}, not a whole number")
    if value > NUMBER_MAX:
        raise BadInput(f"{name}: {field} is greater than {NUMBER_MAX}")
    if value < 0:
        raise BadInput(f"{name}: {field} is negative")
    return value


def _refuse_duplicates(orders: list[Order]) -> None:
    seen: set[str] = set()
    for order in orders:
        if order.order_id in seen:
            raise BadInput(f"order {shown(order.order_id)}: id appears twice")
        seen.add(order.order_id)


def shown(value: object) -> str:
    """A value from outside as short, one-line, printable text."""
    text = ascii(value) if not isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "..."
