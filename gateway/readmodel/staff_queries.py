"""Questions to the read model about what staff did: the audit log of privileged actions."""

from sqlalchemy import Connection, select, tuple_

from chaincode.energy.community import STAFF
from gateway.readmodel import rows
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import (
    Position,
    PrivilegedAction,
    Slice,
    TransactionRecord,
)
from gateway.readmodel.snapshots import page_rows
from gateway.readmodel.tables import Activity, Identity, TransactionRow

CONCERNED_MAX = 20
"""IDgrids named of one action; a settlement concerns everybody."""


def privileged_actions(
    readmodel: ReadModel,
    *,
    below: Position | None = None,
    limit: int,
    function: str | None = None,
) -> Slice[PrivilegedAction]:
    """Transactions that staff signed, valid or not, the newest first; none is ever removed.

    Who acted is a certificate: its role, its IDgrid if it has one, its name and member.
    """
    place = (TransactionRow.block_number, TransactionRow.tx_index)
    staff = select(Identity.digest).where(Identity.role.in_(sorted(STAFF)))
    wanted = (
        select(TransactionRow)
        .where(TransactionRow.creator.in_(staff))
        .order_by(place[0].desc(), place[1].desc())
        .limit(page_rows(limit) + 1)
    )
    if below is not None:
        wanted = wanted.where(tuple_(*place) < (below.block_number, below.index))
    if function is not None:
        wanted = wanted.where(TransactionRow.function == function)
    with readmodel.connection() as connection:
        records = [rows.transaction(row) for row in connection.execute(wanted)]
        found = [_action(readmodel, connection, record) for record in records[:limit]]
    following = str(records[limit - 1].position) if len(records) > limit else None
    return Slice(found, following)


def _action(
    readmodel: ReadModel, connection: Connection, record: TransactionRecord
) -> PrivilegedAction:
    actor = readmodel.identity(record.creator)
    assert actor is not None, "found by its identity"
    concerned = (
        select(Activity.idgrid)
        .where(Activity.block_number == record.block_number, Activity.tx_index == record.index)
        .order_by(Activity.idgrid)
        .limit(CONCERNED_MAX)
    )
    return PrivilegedAction(record, actor, tuple(connection.execute(concerned).scalars()))
