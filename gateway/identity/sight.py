"""Who sees what of whom: the rules for data of households, in one place (row E012).

Whose door opens for whom stands in `gateway.api.access`; what stands behind it is graded here:

| data | visitor | household | manager, auditor |
|---|---|---|---|
| prices, totals, order books without names | all | all | all |
| readings, measurements, alarms of a device | nothing | own, since it owns the device | by grant |
| names of posts and of silent meters | how many | own, whom it can deal with | all |

Pure. docs/access.md has the table of all calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaincode.energy.market import views as market_views
from chaincode.energy.market.records import Listing
from chaincode.energy.marketplace import views as marketplace_views
from chaincode.energy.marketplace.records import Post
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.registry.records import Meter, Res
from chaincode.energy.sight import VISITOR, Sight
from gateway.identity.scopes import Scope
from gateway.identity.sessions import Viewer
from gateway.ports import Measured, Readings


@dataclass(frozen=True, slots=True)
class OwnReadings:
    """A meter's readings since its owner has it: what was before belongs to who had it then."""

    readings: Readings
    meter: Meter

    def latest(self) -> MeterReading | None:
        """The newest one."""
        return self._own(self.readings.latest(self.meter.meter_id))

    def until(self, instant_ms: int) -> MeterReading | None:
        """The last one whose period ended at or before an instant."""
        return self._own(self.readings.until(self.meter.meter_id, instant_ms))

    def before(self, instant_ms: int) -> MeterReading | None:
        """The last one whose period ended before an instant."""
        return self._own(self.readings.before(self.meter.meter_id, instant_ms))

    def between(self, after_ms: int, until_ms: int, limit: int) -> list[MeterReading]:
        """Those with after_ms < t_end <= until_ms in the order of time, the first `limit`."""
        since_ms = max(after_ms, self.meter.owned_since_ms - 1)
        return self.readings.between(self.meter.meter_id, since_ms, until_ms, limit)

    def _own(self, reading: MeterReading | None) -> MeterReading | None:
        is_own = reading is not None and is_of_owner(self.meter, reading.t_end_ms)
        return reading if is_own else None


def is_of_owner(meter: Meter, at_ms: int) -> bool:
    """Whether an instant belongs to the time of the device's present owner."""
    return at_ms >= meter.owned_since_ms


def told_of_source_since_ms(source: Res, namesake: Meter | None) -> int | None:
    """Since when what is told under a source's name is its owner's; None: it is not.

    Devices tell under their names, so of a name that a device has too, the device's owner decides:
    it may be another household's, after a transfer. `namesake` is the device of that name, if any.
    """
    if namesake is None:
        return 0
    is_own = namesake.owner_idgrid == source.owner_idgrid
    return namesake.owned_since_ms if is_own else None


def own_measured(meter: Meter, measured: Measured | None) -> Measured | None:
    """What a device measured last, if that was in its present owner's time."""
    is_own = measured is not None and is_of_owner(meter, measured.at_ms)
    return measured if is_own else None


def sight_of(viewer: Viewer | None) -> Sight:
    """Whom a contract's answer would name to this viewer."""
    if viewer is None:
        return VISITOR
    own = viewer.idgrid if viewer.may(Scope.OWN_READ) else ""
    return Sight(own, is_staff=viewer.may(Scope.COMMUNITY_READ))


def post_as_seen(post: Post, viewer: Viewer | None) -> Post:
    """A marketplace post with what this viewer is shown, as the contract shows it."""
    return marketplace_views.post_as_seen(post, sight_of(viewer))


def settlement_as_seen(content: Mapping[str, Any], viewer: Viewer | None) -> dict[str, Any]:
    """The totals of a settled hour; `missing` names only whom this viewer may see."""
    missing, sight = content.get("missing", []), sight_of(viewer)
    named = [idgrid for idgrid in missing if sight.names(idgrid)]
    return dict(content) | {"missing": named, "missing_count": len(missing)}


def result_as_seen(content: Mapping[str, Any], viewer: Viewer | None) -> dict[str, Any]:
    """What an auction decided; of its matches those of whom this viewer may see.

    `pages` names households where a book is divided: for those who may see them all.
    """
    matches, sight = content.get("matches", []), sight_of(viewer)
    return dict(content) | {
        "matches": [entry for entry in matches if sight.names(entry["idgrid"])],
        "pages": content.get("pages", []) if sight.is_staff else [],
    }


def listing_as_seen(listing: Listing, viewer: Viewer | None) -> Listing:
    """A listing; of its priority consumers only whom this viewer may see."""
    return market_views.listing_as_seen(listing, sight_of(viewer))
