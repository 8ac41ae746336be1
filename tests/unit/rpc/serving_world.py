"""A ledger behind the services: real store, membership and signatures."""

from concurrent.futures import ThreadPoolExecutor

from ledger.model.codes import ValidationCode
from ledger.node.committing.transaction_lookup import LedgerLookup
from ledger.node.membership.signatures import SignatureVerifier
from ledger.rpc.access import RequestAccess
from ledger.rpc.block_source import BlockSource
from ledger.rpc.commit_notifier import CommitNotifier, CommittedTransaction
from tests.support.identities import CHANNEL_ID
from tests.support.ledger_world import LedgerWorld


class ServingWorld(LedgerWorld):
    """Commits blocks and announces them, as a node does."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = ThreadPoolExecutor(max_workers=1)
        registry = self.consortium.registry()
        self.verifier = SignatureVerifier(lambda: registry, self.threads)
        self.now_ms = int(self.consortium.created.timestamp() * 1000) + 60_000
        self.access = RequestAccess(
            channel_id=CHANNEL_ID, signatures=self.verifier, clock_ms=lambda: self.now_ms
        )
        self.notifier = CommitNotifier(self.store.height())
        self.source = BlockSource(self.store, self.notifier)
        self.lookup = LedgerLookup(self.store)

    def commit(self, *entries: bytes) -> tuple[ValidationCode, ...]:
        validation = self.validate(*entries)
        codes = super().commit(*entries)
        number = self.store.tip().number
        self.notifier.committed(
            number + 1,
            [
                CommittedTransaction(tx_id, code, number)
                for tx_id, code in zip(validation.tx_ids, codes, strict=True)
                if tx_id
            ],
        )
        return codes

    def close(self) -> None:
        self.threads.shutdown()
