"""Whether a grant covers meters at an instant. Pure.

The record is read by its key (`keys.access(owner_idgrid, grantee)`) together with whatever else
the caller reads. Grants of somebody who no longer owns the meter stand under another key and say
nothing.
"""

from collections.abc import Iterable

from chaincode.energy.access.records import AccessGrants
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.records import decode


def granted(raw: bytes, meter_ids: Iterable[str], now_ms: int) -> bool:
    """Whether the grants in `raw` (empty: none) cover every one of these meters now."""
    return not _not_granted(raw, meter_ids, now_ms)


def require_granted(raw: bytes, meter_ids: Iterable[str], now_ms: int) -> None:
    """Refuse with NO_DATA_ACCESS and the names of the meters that are not covered."""
    missing = _not_granted(raw, meter_ids, now_ms)
    if missing:
        raise refused(Refusal.NO_DATA_ACCESS, ", ".join(missing))


def in_force(grant: dict[str, int], now_ms: int) -> bool:
    """Whether one meter's grant has not ended."""
    return not grant["until_ms"] or now_ms < grant["until_ms"]


def _not_granted(raw: bytes, meter_ids: Iterable[str], now_ms: int) -> list[str]:
    meters = decode(AccessGrants, raw).meters if raw else {}
    return [name for name in meter_ids if name not in meters or not in_force(meters[name], now_ms)]
