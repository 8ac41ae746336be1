"""Hashes of what members keep off the ledger: a series of batches, each anchored once.

A gateway keeps raw meter data in its own database and puts the Merkle root of every batch of rows
here, in the order the rows came. Whoever edits, removes or inserts a row afterwards cannot make
the same root. A series belongs to the member that writes it (002:212, 002:392-394).
"""

from dataclasses import dataclass

from chaincode.energy import arguments, keys
from chaincode.energy.community import Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.records import decode
from chaincode.energy.world import World

ROWS_PER_BATCH_MAX = 10**6
ROWS_MAX = 10**12
ANCHORS_PER_PAGE_MAX = 500
_ANCHORING = frozenset({Role.ORACLE})


@dataclass(frozen=True, slots=True)
class Anchor:
    """Batch `number` (from 1) of a series: rows first_row..last_row, as they came.

    `root` is the Merkle root (RFC 6962, SHA-256, hex) over the rows' lines; `anchored_ms` is the
    transaction's time.
    """

    mspid: str
    series: str
    number: int
    first_row: int
    last_row: int
    root: str
    anchored_ms: int
    tx_id: str


async def record(world: World, *, series: str, number: int, last_row: int, root: str) -> Anchor:
    """Oracle of a member: the next batch of its series, from the row after the last one on.

    The same batch again changes nothing; another content for a number is refused.
    """
    await world.require_role(_ANCHORING)
    mspid, name = world.caller.mspid, arguments.identifier(series, "series")
    arguments.salted_hash(root, "root")
    head = await _head(world, mspid, name)
    if head is not None and number <= head.number:
        return await _same_again(world, mspid, name, number, last_row, root)
    before, first_row = (head.number, head.last_row + 1) if head else (0, 1)
    if number != before + 1:
        raise refused(Refusal.ANCHOR_OUT_OF_ORDER, f"{name} {number} after {before}")
    arguments.positive(last_row, "last_row", at_most=ROWS_MAX)
    if not 1 <= last_row - first_row + 1 <= ROWS_PER_BATCH_MAX:
        arguments.bad(f"a batch has 1 to {ROWS_PER_BATCH_MAX} rows; this begins at {first_row}")
    anchor = Anchor(
        mspid=mspid,
        series=name,
        number=number,
        first_row=first_row,
        last_row=last_row,
        root=root,
        anchored_ms=world.now_ms,
        tx_id=world.tx_id,
    )
    await world.put(keys.anchor(mspid, name, number), anchor)
    await world.put(keys.anchor_head(mspid, name), anchor)
    world.announce("DataAnchored", {"mspid": mspid, "series": name, "number": number})
    return anchor


async def get(world: World, *, mspid: str, series: str, number: int) -> Anchor:
    """One anchor; number 0 is the newest. Anybody may ask: it says nothing about the data."""
    arguments.identifier(mspid, "mspid")
    arguments.identifier(series, "series")
    arguments.not_negative(number, "number", at_most=ROWS_MAX)
    key = keys.anchor(mspid, series, number) if number else keys.anchor_head(mspid, series)
    return await world.get(Anchor, key, Refusal.NO_ANCHOR, f"{mspid} {series} {number}")


async def page(world: World, *, mspid: str, series: str, first: int) -> list[Anchor]:
    """Anchors of a series from number `first` on, at most `ANCHORS_PER_PAGE_MAX`."""
    arguments.identifier(mspid, "mspid")
    arguments.identifier(series, "series")
    numbers = range(first, first + ANCHORS_PER_PAGE_MAX)
    arguments.positive(first, "first", at_most=ROWS_MAX)
    raw = await world.stub.get_states([keys.anchor(mspid, series, n) for n in numbers])
    return [decode(Anchor, found) for found in raw if found]


async def _head(world: World, mspid: str, series: str) -> Anchor | None:
    return await world.find(Anchor, keys.anchor_head(mspid, series))


async def _same_again(
    world: World, mspid: str, series: str, number: int, last_row: int, root: str
) -> Anchor:
    known = await get(world, mspid=mspid, series=series, number=number) if number > 0 else None
    if known is None or (known.last_row, known.root) != (last_row, root):
        raise refused(Refusal.ANCHOR_DIFFERS, f"{series} {number}")
    return known
