"""Writing private values outside a block: on the thread that writes the ledger."""

import asyncio
from concurrent.futures import Executor

from ledger.storage.ledger_store import LedgerStore, PrivateChange


async def write_private(store: LedgerStore, executor: Executor, change: PrivateChange) -> None:
    """Run the change in `executor` and return when it is on disk."""
    await asyncio.get_running_loop().run_in_executor(executor, store.write_private, change)
