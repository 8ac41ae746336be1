"""What data access keeps in the world state."""

from dataclasses import dataclass, field

MARKET = "market"
"""The grantee that stands for the trading contract."""


@dataclass(frozen=True, slots=True)
class AccessGrants:
    """What one owner lets one grantee read: meter id -> `granted_ms`, `until_ms` (ms UTC).

    The end is not included; an `until_ms` of 0 is no end.
    """

    owner_idgrid: str
    grantee: str
    meters: dict[str, dict[str, int]] = field(default_factory=dict)
