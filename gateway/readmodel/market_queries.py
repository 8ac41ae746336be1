"""Questions to the read model about listings, orders and settlements, by their own rows."""

from collections.abc import Collection, Sequence

from sqlalchemy import Select, and_, or_, select, tuple_

from gateway.readmodel import rows
from gateway.readmodel.block_facts import shown
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import (
    ListingSummary,
    OrderRecord,
    SettlementSummary,
    Slice,
)
from gateway.readmodel.snapshots import PAGE_MAX, page_rows
from gateway.readmodel.tables import ListingRow, OrderRow, SettlementRow

LISTINGS_PER_MONTH_MAX = 31 * 25
TOUCHING_MAX = 8


def listings(
    readmodel: ReadModel,
    *,
    before: str | None = None,
    states: Sequence[str] = (),
    limit: int,
) -> Slice[ListingSummary]:
    """Listings, the latest delivery first; `before` is a listing's id."""
    wanted = select(ListingRow).order_by(ListingRow.listing_id.desc())
    if before is not None:
        wanted = wanted.where(ListingRow.listing_id < before)
    if states:
        wanted = wanted.where(ListingRow.state.in_(states))
    with readmodel.connection() as connection:
        found = [
            rows.listing(row) for row in connection.execute(wanted.limit(page_rows(limit) + 1))
        ]
    following = found[limit - 1].listing_id if len(found) > limit else None
    return Slice(found[:limit], following)


def listings_delivering(readmodel: ReadModel, from_ms: int, to_ms: int) -> list[ListingSummary]:
    """Listings whose delivery begins in [from_ms, to_ms), earliest first: a price history."""
    wanted = (
        select(ListingRow)
        .where(ListingRow.delivery_start_ms >= from_ms, ListingRow.delivery_start_ms < to_ms)
        .order_by(ListingRow.delivery_start_ms)
        .limit(PAGE_MAX)
    )
    with readmodel.connection() as connection:
        return [rows.listing(row) for row in connection.execute(wanted)]


def listings_touching(readmodel: ReadModel, at_ms: int) -> list[ListingSummary]:
    """Listings whose delivery begins or ends at an instant, or has it within, earliest first."""
    wanted = (
        select(ListingRow)
        .where(ListingRow.delivery_start_ms <= at_ms, ListingRow.delivery_end_ms >= at_ms)
        .order_by(ListingRow.delivery_start_ms)
        .limit(TOUCHING_MAX)
    )
    with readmodel.connection() as connection:
        return [rows.listing(row) for row in connection.execute(wanted)]


def listings_named(readmodel: ReadModel, first_id: str, end_id: str) -> list[ListingSummary]:
    """Listings with first_id <= id < end_id, earliest first; `LISTINGS_PER_MONTH_MAX` at most."""
    wanted = (
        select(ListingRow)
        .where(ListingRow.listing_id >= first_id, ListingRow.listing_id < end_id)
        .order_by(ListingRow.listing_id)
        .limit(LISTINGS_PER_MONTH_MAX)
    )
    with readmodel.connection() as connection:
        return [rows.listing(row) for row in connection.execute(wanted)]


def next_to_close(readmodel: ReadModel) -> ListingSummary | None:
    """The open listing whose gate closes first."""
    wanted = (
        select(ListingRow)
        .where(ListingRow.state == "AUTHORIZE_OFFERS")
        .order_by(ListingRow.gate_closure_ms)
        .limit(1)
    )
    with readmodel.connection() as connection:
        row = connection.execute(wanted).one_or_none()
    return None if row is None else rows.listing(row)


def orders_of_household(
    readmodel: ReadModel, idgrid: str, *, below: str | None = None, limit: int
) -> Slice[OrderRecord]:
    """A household's orders of all listings, cancelled ones too, newest first."""
    return _orders(readmodel, select(OrderRow).where(OrderRow.idgrid == idgrid), below, limit)


def orders_of_listing(
    readmodel: ReadModel, listing_id: str, *, below: str | None = None, limit: int
) -> Slice[OrderRecord]:
    """A listing's orders, cancelled ones too, newest first."""
    wanted = select(OrderRow).where(OrderRow.listing_id == listing_id)
    return _orders(readmodel, wanted, below, limit)


def order(readmodel: ReadModel, idgrid: str, listing_id: str, order_id: str) -> OrderRecord | None:
    """One order, cancelled or not; its names may be anybody's, as text of PostgreSQL may not."""
    wanted = select(OrderRow).where(
        OrderRow.listing_id == shown(listing_id),
        OrderRow.idgrid == idgrid,
        OrderRow.order_id == shown(order_id),
    )
    with readmodel.connection() as connection:
        row = connection.execute(wanted).one_or_none()
    return None if row is None else rows.order(row)


def cancelled_orders(
    readmodel: ReadModel, idgrid: str, listing_ids: Collection[str]
) -> list[OrderRecord]:
    """A household's orders of these listings that were taken back."""
    wanted = select(OrderRow).where(
        OrderRow.idgrid == idgrid,
        OrderRow.listing_id.in_(listing_ids),
        OrderRow.cancelled_block_number.is_not(None),
    )
    with readmodel.connection() as connection:
        return [rows.order(row) for row in connection.execute(wanted)]


def listings_ordered_in(
    readmodel: ReadModel, idgrid: str, *, last: str | None = None, limit: int
) -> list[str]:
    """Ids of listings a household placed orders in, the latest first, from `last` on."""
    wanted = select(OrderRow.listing_id).where(OrderRow.idgrid == idgrid).distinct()
    if last is not None:
        wanted = wanted.where(OrderRow.listing_id <= last)
    wanted = wanted.order_by(OrderRow.listing_id.desc()).limit(page_rows(limit))
    with readmodel.connection() as connection:
        return list(connection.execute(wanted).scalars())


def settlements_of_household(
    readmodel: ReadModel, idgrid: str, *, before: str | None = None, limit: int
) -> Slice[SettlementSummary]:
    """What was settled for a household, by listing, the latest first; corrections follow.

    `before` is the `next` of the page before: `listing:revision`.
    """
    key = (SettlementRow.listing_id, SettlementRow.revision)
    wanted = (
        select(SettlementRow)
        .where(SettlementRow.idgrid == idgrid)
        .order_by(key[0].desc(), key[1].desc())
        .limit(page_rows(limit) + 1)
    )
    if before is not None:
        listing_id, _, revision = before.rpartition(":")
        earlier = and_(key[0] == listing_id, key[1] < int(revision))
        wanted = wanted.where(or_(key[0] < listing_id, earlier))
    with readmodel.connection() as connection:
        found = [rows.settlement(row) for row in connection.execute(wanted)]
    last = found[limit - 1] if len(found) > limit else None
    return Slice(found[:limit], f"{last.listing_id}:{last.revision}" if last else None)


def settlements_of_listing(readmodel: ReadModel, listing_id: str) -> list[SettlementSummary]:
    """Every household's lines of a listing with corrections, by household."""
    wanted = (
        select(SettlementRow)
        .where(SettlementRow.listing_id == listing_id)
        .order_by(SettlementRow.idgrid, SettlementRow.revision)
    )
    with readmodel.connection() as connection:
        return [rows.settlement(row) for row in connection.execute(wanted)]


def _orders(
    readmodel: ReadModel, wanted: Select[OrderRow], below: str | None, limit: int
) -> Slice[OrderRecord]:
    """The cursor is `block:index:order`: one transaction may place several orders."""
    place = (OrderRow.block_number, OrderRow.tx_index, OrderRow.order_id)
    if below is not None:
        block_number, index, order_id = below.split(":", 2)
        wanted = wanted.where(tuple_(*place) < (int(block_number), int(index), order_id))
    wanted = wanted.order_by(*(column.desc() for column in place)).limit(page_rows(limit) + 1)
    with readmodel.connection() as connection:
        found = [rows.order(row) for row in connection.execute(wanted)]
    last = found[limit - 1] if len(found) > limit else None
    return Slice(found[:limit], f"{last.placed}:{last.order_id}" if last else None)
