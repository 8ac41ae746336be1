"""Instants and hours: milliseconds since 1970-01-01 UTC, and the text that names an hour.

An hour is named `YYYY-MM-DDTHH` in UTC, so days with 23 or 25 local hours need no special case.
"""

from datetime import UTC, datetime

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
TIME_MS_MAX = 10**15 - 1
"""The latest instant an argument or a reading may name; keys hold that many digits."""

LAST_YEAR = 9998
"""Of an hour's name: there are hours after it that can be named too."""

_ID_FORMAT = "%Y-%m-%dT%H"
_FIRST_YEAR = 1970


def delivery_hour_ms(listing_id: str) -> int:
    """Start of the hour `YYYY-MM-DDTHH` names, from 1970 to `LAST_YEAR`.

    Raises `ValueError` for any other text.
    """
    hour = datetime.strptime(listing_id, _ID_FORMAT).replace(tzinfo=UTC)
    if hour.strftime(_ID_FORMAT) != listing_id:
        raise ValueError(f"{listing_id!r} is not of the form YYYY-MM-DDTHH")
    if not _FIRST_YEAR <= hour.year <= LAST_YEAR:
        raise ValueError(f"{listing_id!r} is not between {_FIRST_YEAR} and {LAST_YEAR}")
    return int(hour.timestamp()) * 1000


def listing_id_at(time_ms: int) -> str:
    """The listing whose hour contains this instant."""
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC).strftime(_ID_FORMAT)
