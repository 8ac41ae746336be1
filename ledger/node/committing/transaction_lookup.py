"""The fate of a transaction id, from the ledger's index."""

from ledger.rpc.commit_notifier import CommittedTransaction
from ledger.storage.ledger_store import LedgerStore


class LedgerLookup:
    """Serves commit status and event replay."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def committed(self, tx_id: str) -> CommittedTransaction | None:
        """The first recorded fate; None while the id is unused."""
        location = self._store.transaction_location(tx_id)
        if location is None:
            return None
        return CommittedTransaction(tx_id, location.code, location.block_number)

    def is_committed(self, tx_id: str) -> bool:
        """Whether the id is used up, by a valid transaction or an invalid one."""
        return self._store.transaction_location(tx_id) is not None
