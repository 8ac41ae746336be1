"""Reading the market: listings, order books, results, settlements, accounts, meters."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from chaincode.energy.market.records import Listing
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.registry.records import Participant, signer_from
from gateway.api.access import (
    CommunityReader,
    LiveServices,
    MaybeSignedIn,
    OwnReader,
    UsedServices,
    no_such_device,
    require_manager,
    require_meter_sight,
    require_sight,
)
from gateway.api.market_answers import (
    BookEntry,
    ListingResult,
    Money,
    RegistryRecord,
    SettledHour,
    SettlementTotals,
)
from gateway.api.schemas import PAGE_DEFAULT, Page, PageAfter, PageLimit, also_refused, page_of
from gateway.books.community import AccountView
from gateway.books.market import PlacedOrder
from gateway.errors import LedgerRefusal, Problem, RequestRefused
from gateway.identity.sight import OwnReadings, listing_as_seen, result_as_seen, settlement_as_seen
from gateway.ledger_access.refusals import problem_of
from gateway.services import Services

EMAIL_CHARACTERS_MAX = 254

router = APIRouter(prefix="/v1", tags=["market"])

ListingId = Annotated[str, Path(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}$")]
Idgrid = Annotated[str, Path(pattern=r"^[A-Z0-9-]{4,32}$")]


@router.get("/listings")
def listings(
    services: UsedServices,
    viewer: MaybeSignedIn,
    after: Annotated[str | None, Query(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}$")] = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[Listing]:
    """Listings, the latest delivery hour first."""
    found = services.market.page(limit, before=after)
    return Page(
        items=[listing_as_seen(listing, viewer) for listing in found.items],
        next=found.next,
        height=services.market.height,
    )


@router.get("/listings/{listing_id}")
def listing(listing_id: ListingId, services: UsedServices, viewer: MaybeSignedIn) -> Listing:
    """One listing with its state, times and pinned prices."""
    return listing_as_seen(_existing(services, listing_id), viewer)


@router.get("/listings/{listing_id}/orders")
def orders(
    listing_id: ListingId,
    services: UsedServices,
    after: PageAfter = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[BookEntry]:
    """The order book in ledger order, without names: it shows prices and energy only."""
    _existing(services, listing_id)
    return page_of(
        services.market.orders(listing_id),
        after=after,
        limit=limit,
        cursor=lambda placed: placed.order.order_id,
        show=_public,
        height=services.market.height,
    )


@router.get(
    "/listings/{listing_id}/result",
    response_model=ListingResult,
    openapi_extra=also_refused(409),
)
def result(listing_id: ListingId, services: UsedServices, viewer: MaybeSignedIn) -> dict[str, Any]:
    """What the auction decided; `matches` are one's own, all for the manager and auditors."""
    _existing(services, listing_id)
    content = services.market.result(listing_id)
    if content is None:
        raise RequestRefused(Problem.CONFLICT, f"{listing_id} is not cleared yet")
    return result_as_seen(content, viewer)


@router.get(
    "/listings/{listing_id}/settlement",
    response_model=SettlementTotals,
    openapi_extra=also_refused(409),
)
def settlement(
    listing_id: ListingId, services: UsedServices, viewer: MaybeSignedIn
) -> dict[str, Any]:
    """Totals of a settled listing; `missing` names one's own silent meter, all for staff."""
    _existing(services, listing_id)
    content = services.market.settlement(listing_id)
    if content is None:
        raise RequestRefused(Problem.CONFLICT, f"{listing_id} is not settled yet")
    return settlement_as_seen(content, viewer)


@router.get("/accounts/{idgrid}")
def account(idgrid: Idgrid, services: UsedServices, viewer: OwnReader) -> AccountView:
    """Free balance, locked money and energy traded; one's own, or any for the manager."""
    require_sight(viewer, idgrid)
    found = services.community.account(idgrid)
    if found is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no account {idgrid}")
    return found


@router.get("/accounts/{idgrid}/settlements")
def settlement_lines(
    idgrid: Idgrid,
    services: UsedServices,
    viewer: OwnReader,
    after: PageAfter = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[SettledHour]:
    """A household's settled hours, the latest first."""
    require_sight(viewer, idgrid)
    return page_of(
        services.market.household_lines(idgrid),
        after=after,
        limit=limit,
        cursor=lambda line: str(line["listing_id"]),
        show=lambda line: SettledHour(**line),
        height=services.market.height,
    )


@router.get("/accounts")
def accounts(
    services: UsedServices,
    _viewer: CommunityReader,
    after: PageAfter = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[AccountView]:
    """All accounts by IDgrid, for the manager and auditors."""
    return page_of(
        services.community.accounts(),
        after=after,
        limit=limit,
        cursor=lambda account: account.idgrid,
        show=lambda account: account,
        height=services.market.height,
    )


async def holder_of_email(
    services: LiveServices,
    viewer: CommunityReader,
    email: Annotated[str | None, Query(min_length=3, max_length=EMAIL_CHARACTERS_MAX)] = None,
) -> str | None:
    """The IDgrid to look for, empty if nobody uses the address; None: all. The manager's alone."""
    if email is None:
        return None
    require_manager(viewer)
    if services.addresses is None:
        raise RequestRefused(Problem.NOT_FOUND, "this gateway may not read e-mail addresses")
    try:
        return await services.addresses.holder_of(email) or ""
    except LedgerRefusal as refusal:
        raise problem_of(refusal) from refusal


@router.get("/participants")
def participants(
    services: UsedServices,
    _viewer: CommunityReader,
    holder: Annotated[str | None, Depends(holder_of_email)],
    after: PageAfter = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[RegistryRecord]:
    """The registry by IDgrid, for the manager and auditors; `email` finds one, for the manager."""
    found = services.community.participants()
    return page_of(
        found if holder is None else [one for one in found if one.idgrid == holder],
        after=after,
        limit=limit,
        cursor=lambda participant: participant.idgrid,
        show=lambda one: _registry_record(one, services.community.account(one.idgrid)),
        height=services.market.height,
    )


@router.get("/participants/{idgrid}")
def participant(idgrid: Idgrid, services: UsedServices, viewer: OwnReader) -> RegistryRecord:
    """One registry record with its token balance; one's own, or any for the manager."""
    require_sight(viewer, idgrid)
    found = services.community.participant(idgrid)
    if found is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no participant {idgrid}")
    return _registry_record(found, services.community.account(idgrid))


@router.get("/meters/{meter_id}/reading")
def meter_reading(
    meter_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")],
    services: UsedServices,
    viewer: OwnReader,
) -> MeterReading:
    """The newest reading that came over MQTT since the meter is its owner's."""
    meter = services.community.meter(meter_id)
    if meter is None:
        raise no_such_device(viewer, f"meter {meter_id}")
    require_meter_sight(services, viewer, meter)
    reading = OwnReadings(services.readings, meter).latest()
    if reading is None:
        raise RequestRefused(Problem.NOT_FOUND, f"{meter_id} has not reported yet")
    return reading


@router.get("/money")
def money(services: UsedServices) -> Money:
    """All money: issued, free and locked; `is_conserved` compares them."""
    supply = services.community.money()
    return Money(**asdict(supply), is_conserved=supply.is_conserved)


def _existing(services: Services, listing_id: str) -> Listing:
    found = services.market.listing(listing_id)
    if found is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no listing {listing_id}")
    return found


def _registry_record(participant: Participant, account: AccountView | None) -> RegistryRecord:
    """The account opens with the first money: until then the balance is 0."""
    added = {
        "signers": {name: signer_from(one) for name, one in participant.signers.items()},
        "balance_utoken": account.balance_utoken if account else 0,
        "locked_utoken": account.locked_utoken if account else 0,
    }
    return RegistryRecord(**asdict(participant) | added)


def _public(placed: PlacedOrder) -> BookEntry:
    order = placed.order
    return BookEntry(
        order_id=order.order_id,
        side=order.side,
        energy_wh=order.energy_wh,
        price_utoken_per_kwh=order.price_utoken_per_kwh,
        block_number=placed.block_number,
        index=placed.index,
    )
