"""What the services for clients ask of the node behind them."""

from typing import Protocol

from ledger.model.transaction import ChaincodeResponse, SignedProposal
from ledger.rpc.commit_notifier import CommittedTransaction


class Endorsements(Protocol):
    """Simulates on the peers a policy asks for and prepares the transaction."""

    async def endorse(self, proposal: SignedProposal, organizations: tuple[str, ...]) -> bytes:
        """The unsigned envelope payload; raises GatewayError."""


class Evaluations(Protocol):
    """Asks a contract without changing anything."""

    async def evaluate(
        self, proposal: SignedProposal, organizations: tuple[str, ...]
    ) -> ChaincodeResponse:
        """One peer's answer; raises GatewayError."""


class Submission(Protocol):
    """Hands a signed transaction to ordering."""

    async def submit(self, envelope_raw: bytes) -> None:
        """Return once a quorum of validators holds it; raises GatewayError or InvalidMessage."""


class TransactionLookup(Protocol):
    """Where committed transactions are."""

    def committed(self, tx_id: str) -> CommittedTransaction | None:
        """The first recorded fate of a transaction id."""
