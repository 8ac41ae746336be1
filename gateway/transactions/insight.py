"""Who sees what a transaction says: its arguments, its event, its read-write set.

Meter readings and amounts of households are in there, so the fate of every transaction is public
and its content is not: households see what they signed, and what concerns no other household but
its signer; the manager, members' operators and auditors see all, but the manager not what single
meters reported (E012).
"""

from collections.abc import Callable, Sequence

from gateway.identity.scopes import Scope
from gateway.identity.sessions import Viewer
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import TransactionRecord

METERED_FUNCTIONS = frozenset({"oracle:report_readings", "settlement:substitute"})
SeesInside = Callable[[TransactionRecord], bool]
"""Whether the content of a transaction is shown."""


def insight(
    readmodel: ReadModel, viewer: Viewer | None, records: Sequence[TransactionRecord]
) -> SeesInside:
    """What this viewer sees of these transactions; `viewer` is None for a visitor."""
    if viewer is None or not records:
        return lambda _record: False
    if viewer.may(Scope.LEDGER_READ):
        return lambda record: sees_all_of(viewer, record.function)
    if not viewer.idgrid or not viewer.may(Scope.OWN_READ):
        return lambda _record: False
    numbers = [record.block_number for record in records]
    own = readmodel.readable(viewer.idgrid, min(numbers), max(numbers))
    return lambda record: record.position in own


def sees_read_write_set(
    readmodel: ReadModel, viewer: Viewer | None, record: TransactionRecord
) -> bool:
    """Whether the keys a transaction read and wrote are shown, too.

    A household sees those of what it signed only: others' transactions that concern it may have
    read keys that name its neighbours.
    """
    if viewer is None:
        return False
    if viewer.may(Scope.LEDGER_READ):
        return sees_all_of(viewer, record.function)
    signer = readmodel.identity(record.creator)
    is_own = signer is not None and bool(signer.idgrid) and signer.idgrid == viewer.idgrid
    return is_own and viewer.may(Scope.OWN_READ)


def sees_all_of(viewer: Viewer, function: str) -> bool:
    """Whether somebody whom a transaction does not concern sees what it says."""
    is_metered = function in METERED_FUNCTIONS
    return viewer.may(Scope.LEDGER_READ) and (not is_metered or viewer.may(Scope.METERED_READ))
