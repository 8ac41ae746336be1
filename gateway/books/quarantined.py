"""Readings that were set aside, with the hour of the market that may lack them (row E071)."""

from dataclasses import dataclass

from gateway.books.community import Community
from gateway.hems.quarantine import PAGE_MAX, Quarantine, SetAside
from gateway.identity.sight import is_of_owner
from gateway.readmodel.market_queries import listings_touching
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import ListingSummary

DISPUTED = "DISPUTED"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One reading and the listing whose delivery begins or ends with it, or has it within."""

    reading: SetAside
    owner_idgrid: str | None
    listing: ListingSummary | None

    @property
    def listing_id(self) -> str | None:
        """Of the listing, if there is one."""
        return self.listing.listing_id if self.listing else None

    @property
    def is_disputed(self) -> bool:
        """Whether that hour is disputed."""
        return self.listing is not None and self.listing.state == DISPUTED


def quarantined(
    readmodel: ReadModel,
    community: Community,
    idgrid: str | None,
    *,
    below: int | None = None,
    limit: int = PAGE_MAX,
) -> list[Quarantined]:
    """Newest first, of a household's devices since it owns them; None: of all devices."""
    meters = {meter.meter_id: meter for meter in community.meters()}
    own = [name for name, meter in meters.items() if meter.owner_idgrid == idgrid]
    store = Quarantine(readmodel.database)
    found = store.page(own if idgrid is not None else None, below=below, limit=limit)
    if idgrid is not None:
        found = [one for one in found if is_of_owner(meters[one.device_id], one.received_ms)]
    hours = {at_ms: _listing_at(readmodel, at_ms) for at_ms in {one.concerned_ms for one in found}}
    owners = {name: meter.owner_idgrid for name, meter in meters.items()}
    return [Quarantined(one, owners.get(one.device_id), hours[one.concerned_ms]) for one in found]


def _listing_at(readmodel: ReadModel, at_ms: int) -> ListingSummary | None:
    """The disputed one of those that need a reading at an instant, else the earliest."""
    touching = listings_touching(readmodel, at_ms)
    disputed = [one for one in touching if one.state == DISPUTED]
    return next(iter(disputed or touching), None)
