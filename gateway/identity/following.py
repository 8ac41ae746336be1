"""Revocations as they come with the blocks: what a revoked key opened ends, used or not."""

import asyncio

from gateway.identity.ending import Endings
from gateway.ledger_access.block_signal import BlockSignal
from gateway.readmodel.queries import ReadModel
from ledger.model.codes import ValidationCode

REVOKE = "signers:revoke"


async def end_with_keys(readmodel: ReadModel, blocks: BlockSignal, endings: Endings) -> None:
    """For ever. Blocks from before are not looked at: each use of a session asks the ledger."""
    number = blocks.height
    while True:
        await blocks.next(number)
        await asyncio.to_thread(end_of_block, readmodel, endings, number)
        number += 1


def end_of_block(readmodel: ReadModel, endings: Endings, number: int) -> None:
    """End what the keys revoked in this block opened; it blocks."""
    for record in readmodel.transactions_of_block(number):
        if record.function == REVOKE and record.code is ValidationCode.VALID:
            endings.opens_no_more(*record.arguments[:2])
