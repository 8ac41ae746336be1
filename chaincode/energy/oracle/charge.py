"""What a battery holds, as far as the ledger knows: the check of an offer from storage. Pure.

The oracles' agreed answer is stored under `keys.charge(battery_id)`. An offer from a battery reads
that key in the same request as everything else and calls `require_stored`, with the energy the
household has promised already to listings whose delivery is not settled (002:252, E027, E028).
"""

from chaincode.energy.errors import Refusal, refused
from chaincode.energy.oracle.records import Charge
from chaincode.energy.records import decode

CHARGE_VALID_MS = 15 * 60_000
"""How long a state of charge counts, from the instant it was observed."""


def stored_wh(raw: bytes, *, battery_id: str, now_ms: int) -> int:
    """Energy in the battery in Wh, from the record `raw` (empty: none).

    Refuses with CHARGE_UNKNOWN, or CHARGE_STALE when it was observed more than
    `CHARGE_VALID_MS` ago.
    """
    if not raw:
        raise refused(Refusal.CHARGE_UNKNOWN, battery_id)
    charge = decode(Charge, raw)
    age_ms = now_ms - charge.observed_at_ms
    if age_ms > CHARGE_VALID_MS:
        raise refused(Refusal.CHARGE_STALE, f"{battery_id}, observed {age_ms} ms ago")
    return charge.stored_wh


def require_stored(
    raw: bytes, *, battery_id: str, offered_wh: int, promised_wh: int, now_ms: int
) -> None:
    """Refuse with INSUFFICIENT_ENERGY unless the battery covers the offer and what is promised."""
    available_wh = stored_wh(raw, battery_id=battery_id, now_ms=now_ms) - promised_wh
    if offered_wh > available_wh:
        raise refused(
            Refusal.INSUFFICIENT_ENERGY,
            f"{offered_wh} Wh offered, {battery_id} has {max(0, available_wh)} Wh left to promise",
        )
