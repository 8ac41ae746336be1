"""Chaincodes that are part of the peer: `_lifecycle`, `qscc` and `cscc`.

They run in the peer itself, are defined on every channel and decide for themselves who may call
which function. Reads that belong to the peer, not to a channel, may be asked without a channel.
"""

from typing import Protocol

from ledger.endorsement.runtimes.peer_session import Execution
from ledger.endorsement.simulation.simulator import LIFECYCLE_NAMESPACE, TransactionSimulator
from ledger.model.transaction import ChaincodeResponse, SignedProposal

QUERY_CHAINCODE = "qscc"
CONFIGURATION_CHAINCODE = "cscc"
SYSTEM_CHAINCODES = frozenset({LIFECYCLE_NAMESPACE, QUERY_CHAINCODE, CONFIGURATION_CHAINCODE})
READ_ONLY_CHAINCODES = frozenset({QUERY_CHAINCODE, CONFIGURATION_CHAINCODE})

STATUS_OK = 200
STATUS_NOT_FOUND = 404
STATUS_ERROR = 500


class SystemChaincode(Protocol):
    """One of them."""

    async def invoke(self, proposal: SignedProposal, simulator: TransactionSimulator) -> Execution:
        """Run the function the proposal names; a refusal is a response, nothing is raised."""
        ...


def success(payload: bytes) -> ChaincodeResponse:
    """The function's result."""
    return ChaincodeResponse(STATUS_OK, "", payload)


def failure(text: str, status: int = STATUS_ERROR) -> ChaincodeResponse:
    """Why there is no result."""
    return ChaincodeResponse(status, text, b"")


def function_name(proposal: SignedProposal) -> str:
    """The function asked for; empty if none is."""
    return proposal.args[0].decode("utf-8", "replace") if proposal.args else ""
