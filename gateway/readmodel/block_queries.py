"""Questions about blocks."""

from sqlalchemy import Select, select

from gateway.readmodel import rows
from gateway.readmodel.records import BlockRecord, Slice
from gateway.readmodel.snapshots import Snapshots, page_rows
from gateway.readmodel.tables import BlockBytes, BlockRow
from ledger.model.block import Block
from ledger.model.codec_block import decode_block


class BlockQueries(Snapshots):
    """Part of `ReadModel`."""

    def block(self, number: int) -> BlockRecord | None:
        """A block by number."""
        return self._one_block(select(BlockRow).where(BlockRow.number == number))

    def block_by_hash(self, digest: bytes) -> BlockRecord | None:
        """A block by the hash of its header."""
        return self._one_block(select(BlockRow).where(BlockRow.hash == digest))

    def blocks(self, below: int | None, limit: int) -> Slice[BlockRecord]:
        """Blocks with numbers under `below` (None: the newest), newest first."""
        wanted = select(BlockRow).order_by(BlockRow.number.desc()).limit(page_rows(limit) + 1)
        if below is not None:
            wanted = wanted.where(BlockRow.number < below)
        with self.connection() as connection:
            found = [rows.block(row) for row in connection.execute(wanted)]
        following = str(found[limit - 1].number) if len(found) > limit else None
        return Slice(found[:limit], following)

    def block_bytes(self, number: int) -> bytes | None:
        """A block as it was delivered, seals and codes included."""
        wanted = select(BlockBytes.raw).where(BlockBytes.number == number)
        with self.connection() as connection:
            return connection.execute(wanted).scalar_one_or_none()

    def whole_block(self, number: int) -> Block | None:
        """A block with its entries, decoded."""
        raw = self.block_bytes(number)
        return None if raw is None else decode_block(raw)

    def _one_block(self, wanted: Select[BlockRow]) -> BlockRecord | None:
        with self.connection() as connection:
            row = connection.execute(wanted.limit(1)).one_or_none()
        return None if row is None else rows.block(row)
