"""What the live streams tell of each block: read once, however many streams are open."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import EventRecord

BLOCKS_REMEMBERED = 64
"""Streams are seldom further apart; one that resumes from earlier reads for itself."""


@dataclass(frozen=True, slots=True)
class AnnouncedEvent:
    """An event and the households that read it."""

    event: EventRecord
    readers: frozenset[str]


@dataclass(frozen=True, slots=True)
class AnnouncedBlock:
    """A block as streams tell it."""

    number: int
    hash: bytes
    transaction_ids: tuple[str, ...]
    events: tuple[AnnouncedEvent, ...]


class EventFeed:
    """Blocks by number; of the event loop only."""

    def __init__(self, readmodel: ReadModel) -> None:
        self._readmodel = readmodel
        self._blocks: OrderedDict[int, asyncio.Future[AnnouncedBlock | None]] = OrderedDict()

    async def block(self, number: int) -> AnnouncedBlock | None:
        """The block; None if the read model does not have it (any more)."""
        known = self._blocks.get(number)
        if known is None:
            known = asyncio.ensure_future(asyncio.to_thread(self._read, number))
            self._blocks[number] = known
            if len(self._blocks) > BLOCKS_REMEMBERED:
                self._blocks.popitem(last=False)
        try:
            found = await asyncio.shield(known)
        except Exception:
            self._blocks.pop(number, None)
            raise
        if found is None:
            self._blocks.pop(number, None)
        return found

    def _read(self, number: int) -> AnnouncedBlock | None:
        readmodel = self._readmodel
        with readmodel.at_one_height():
            block = readmodel.block(number)
            if block is None:
                return None
            readers = readmodel.readers_of(number)
            return AnnouncedBlock(
                number=number,
                hash=block.hash,
                transaction_ids=tuple(readmodel.transaction_ids(number, number).get(number, ())),
                events=tuple(
                    AnnouncedEvent(event, frozenset(readers.get(event.index, ())))
                    for event in readmodel.events_of(number)
                ),
            )
