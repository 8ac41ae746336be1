"""From written keys to the rows that pages search: listings, orders, settlements, activity.

A row is only an index into what the contract wrote. A value that does not look as this version
expects (another version of the contract wrote it) is in the world state all the same; it gets no
row, and a line in the log.
"""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, update

from gateway.database.declarations import LONG_MAX, LONG_MIN
from gateway.database.upserting import insert_or_replace
from gateway.readmodel.records import Position
from gateway.readmodel.tables import ListingRow, OrderRow, SettlementRow
from ledger.model.rwset import KeyWrite

SEPARATOR = "~"
HOUSEHOLD_PART: Mapping[str, int] = {
    "participant": 1,
    "account": 1,
    "payout": 1,
    "escrow": 1,
    "order": 2,
    "sealed": 2,
    "pending": 2,
    "standing": 1,
    "profile": 2,
    "denial": 2,
    "line": 1,
    "correction": 1,
    "dispute": 2,
    "substitute": 2,
    "nondelivery": 1,
    "reputation": 1,
    "statement": 1,
    "access": 1,
    "connection": 1,
    "groupmember": 2,
    "groupinvitation": 2,
    "ownpost": 1,
    "deal": 1,
    "held": 1,
}
"""Family of a key → which part of it names the household (`chaincode.energy.keys`)."""

logger = logging.getLogger(__name__)


def household_of(key: str) -> str | None:
    """The household a key belongs to, if it belongs to one."""
    parts = key.split(SEPARATOR)
    place = HOUSEHOLD_PART.get(parts[0])
    return parts[place] if place is not None and place < len(parts) else None


def index_write(connection: Connection, write: KeyWrite, at: Position) -> None:
    """Bring the rows about one written key up to date."""
    family, *parts = write.key.split(SEPARATOR)
    project = _FAMILIES.get(family)
    if project is None:
        return
    try:
        content = {} if write.is_delete else json.loads(write.value)
        project(connection, parts, content, at)
    except (ValueError, KeyError, TypeError) as error:
        logger.warning("block %s: no row for the key %.100r: %s", at, write.key, error)


def _listing(
    connection: Connection, parts: list[str], content: dict[str, Any], _at: Position
) -> None:
    (listing_id,) = parts
    if not content:
        connection.execute(delete(ListingRow).where(ListingRow.listing_id == listing_id))
        return
    insert_or_replace(
        connection,
        ListingRow,
        [
            {
                "listing_id": listing_id,
                "state": _text(content["state"]),
                **_numbers(
                    content,
                    "opens_at_ms",
                    "gate_closure_ms",
                    "delivery_start_ms",
                    "delivery_end_ms",
                ),
            }
        ],
    )


def _result(
    connection: Connection, parts: list[str], content: dict[str, Any], _at: Position
) -> None:
    (listing_id,) = parts
    price = content.get("price_utoken_per_kwh")
    matched = content.get("quantity_wh")
    connection.execute(
        update(ListingRow)
        .where(ListingRow.listing_id == listing_id)
        .values(
            price_utoken_per_kwh=None if price is None else _number(price),
            matched_wh=None if matched is None else _number(matched),
        )
    )


def _order(
    connection: Connection, parts: list[str], content: dict[str, Any], at: Position
) -> None:
    listing_id, idgrid, order_id = parts
    place = (
        OrderRow.listing_id == listing_id,
        OrderRow.idgrid == idgrid,
        OrderRow.order_id == order_id,
    )
    if not content:
        connection.execute(
            update(OrderRow)
            .where(*place)
            .values(cancelled_block_number=at.block_number, cancelled_tx_index=at.index)
        )
        return
    insert_or_replace(
        connection,
        OrderRow,
        [
            {
                "listing_id": listing_id,
                "idgrid": idgrid,
                "order_id": order_id,
                "side": _text(content["side"]),
                **_numbers(content, "energy_wh", "price_utoken_per_kwh"),
                "source": _text(content["source"]),
                "block_number": at.block_number,
                "tx_index": at.index,
                "cancelled_block_number": None,
                "cancelled_tx_index": None,
            }
        ],
    )


def _settlement(
    connection: Connection, parts: list[str], content: dict[str, Any], at: Position
) -> None:
    idgrid, listing_id = parts[:2]
    insert_or_replace(
        connection,
        SettlementRow,
        [
            {
                "idgrid": idgrid,
                "listing_id": listing_id,
                "revision": int(parts[2]) if len(parts) > 2 else 0,  # noqa: PLR2004 - a correction
                **_numbers(
                    content,
                    "sold_wh",
                    "bought_wh",
                    "received_utoken",
                    "paid_utoken",
                    "refunded_utoken",
                    "network_charge_utoken",
                    "pool_share_utoken",
                    "owed_to_utility_utoken",
                    "owed_by_utility_utoken",
                ),
                "block_number": at.block_number,
                "tx_index": at.index,
            }
        ],
    )


def _numbers(content: dict[str, Any], *names: str) -> dict[str, int]:
    return {name: _number(content[name]) for name in names}


def _number(value: object) -> int:
    if type(value) is not int or not LONG_MIN <= value <= LONG_MAX:
        raise ValueError("a whole number of 64 bits is expected")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("a text is expected")
    return value


_FAMILIES: Mapping[str, Callable[[Connection, list[str], dict[str, Any], Position], None]] = {
    "listing": _listing,
    "result": _result,
    "order": _order,
    "line": _settlement,
    "correction": _settlement,
}
