"""A ledger whose transactions are really simulated: proposals, contracts in processes, commits."""

from contextlib import asynccontextmanager

from ledger.crypto.hashing import transaction_id
from ledger.crypto.proposal import build_proposal
from ledger.crypto.signing import SigningIdentity
from ledger.endorsement.limits import ProcessLimits, SimulationLimits
from ledger.endorsement.runtimes.child_process import ChaincodeProgram
from ledger.endorsement.runtimes.peer_session import Execution
from ledger.endorsement.runtimes.process import ChaincodeProcess
from ledger.endorsement.simulation.collection_access import CollectionAccess
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.model.codec_proposal import decode_proposal
from ledger.model.codes import ValidationCode
from ledger.model.transaction import SignedProposal
from tests.support.identities import CHANNEL_ID
from tests.support.ledger_world import CHAINCODE, START_NS, LedgerWorld

SAMPLE_MODULE = "tests.unit.shim.sample_contracts"


def program(**environment: str) -> ChaincodeProgram:
    """The sample contracts as chaincode `market`."""
    return ChaincodeProgram(CHAINCODE, "1.0", SAMPLE_MODULE, environment)


class EndorsingWorld(LedgerWorld):
    """A ledger world that also makes proposals and commits what simulations give."""

    def propose(
        self,
        function: str,
        *args: str | bytes,
        client: SigningIdentity | None = None,
        transient: dict[str, bytes] | None = None,
        chaincode: str = CHAINCODE,
        channel_id: str = CHANNEL_ID,
        timestamp_ns: int = START_NS,
        is_init: bool = False,
    ) -> SignedProposal:
        """A signed proposal with a new nonce."""
        signer = client or self.client
        self._nonces += 1
        raw = [a.encode() if isinstance(a, str) else a for a in (function, *args)]
        tx_id, proposal_raw = build_proposal(
            channel_id=channel_id,
            chaincode_name=chaincode,
            args=raw,
            creator=signer.serialized,
            nonce=self._nonces.to_bytes(24, "big"),
            timestamp_ns=timestamp_ns,
            transient=transient,
            is_init=is_init,
        )
        assert tx_id == transaction_id(self._nonces.to_bytes(24, "big"), signer.serialized)
        return decode_proposal(proposal_raw, signer.sign(proposal_raw))

    def simulator(
        self,
        proposal: SignedProposal,
        limits: SimulationLimits | None = None,
        collections: CollectionAccess | None = None,
    ) -> TransactionSimulator:
        return TransactionSimulator(self.store.snapshot(), proposal.tx_id, limits, collections)

    async def run(
        self, process: ChaincodeProcess, function: str, *args: str | bytes, **options: object
    ) -> Execution:
        """Simulate a new proposal."""
        proposal = self.propose(function, *args, **options)
        return await process.execute(proposal, self.simulator(proposal))

    def commit_results(self, *executions: Execution) -> tuple[ValidationCode, ...]:
        """Commit simulated results in one block, endorsed by three members."""
        return self.commit(
            *(self.transaction(results=execution.simulator.results()) for execution in executions)
        )

    async def submit(
        self, process: ChaincodeProcess, function: str, *args: str | bytes
    ) -> Execution:
        """Simulate and commit; the transaction must be valid."""
        execution = await self.run(process, function, *args)
        assert execution.response.status == 200, execution.response
        assert self.commit_results(execution) == (ValidationCode.VALID,)
        return execution


@asynccontextmanager
async def running_process(limits: ProcessLimits | None = None, **environment: str):
    """A started process of the sample contracts, stopped at the end."""
    process = ChaincodeProcess(program(**environment), limits)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()
