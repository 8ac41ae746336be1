"""The test ledger behind the gateway's port: every commit is a block the gateway follows."""

import json
from collections.abc import Sequence

from chaincode.shim import ContractError
from chaincode.shim.testing import TestLedger
from chaincode.shim.testing.committing import signed_envelope
from chaincode.shim.testing.endorsing import Call
from chaincode.shim.testing.simulation import Simulation
from gateway.errors import LedgerRefusal
from ledger.model.codec import encode_envelope, prepared_transaction_payload
from ledger.model.codec_header import decode_identity
from ledger.model.codec_proposal import decode_proposal
from ledger.model.codes import ValidationCode
from tests.unit.gateway.ledger_double import CHAINCODE, CHANNEL, LedgerDouble

STATUS_BAD_REQUEST = 400


class RecordingLedger(TestLedger):
    """Keeps the envelope and the code of everything it commits, until somebody takes them."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, channel_id=CHANNEL, name=CHAINCODE, **kwargs)
        self.committed: list[tuple[bytes, ValidationCode]] = []

    def _commit(self, simulations: Sequence[Simulation]) -> list[tuple[str, str]]:
        envelopes = [signed_envelope(simulation, self._channel) for simulation in simulations]
        verdicts = super()._commit(simulations)
        codes = [ValidationCode[code] for code, _ in verdicts]
        self.committed += zip(envelopes, codes, strict=True)
        return verdicts

    def simulate_proposal(self, proposal_raw: bytes, signature: bytes) -> Simulation:
        """What the peer of the creator's member makes of a client's own proposal, endorsed."""
        proposal = decode_proposal(proposal_raw, signature)
        client = self.impersonate(*decode_identity(proposal.header.creator))
        call = Call(
            chaincode=CHAINCODE,
            client=client.identity,
            args=proposal.args,
            transient=proposal.transient,
            timestamp_ns=self.now_ns,
            number=0,
        )
        endorsing = self._endorsing
        mspid = client.identity.mspid
        found = endorsing._simulate(call, proposal, self._world.state, mspid)
        return endorsing._signed(found, mspid)

    def commit_one(self, simulation: Simulation) -> ValidationCode:
        """Commit a client's transaction as a block of its own."""
        ((code, _),) = self._commit([simulation])
        return ValidationCode[code]


class ChainedLedger(LedgerDouble):
    """See `gateway.ports.Ledger`: endorses and commits on a `RecordingLedger`."""

    def __init__(self, ledger: RecordingLedger) -> None:
        super().__init__(contract=lambda _function, _args: {})
        self._ledger = ledger
        self._endorsed: dict[str, Simulation] = {}

    async def endorse(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        simulation = self._ledger.simulate_proposal(proposal, signature)
        if simulation.response.status >= STATUS_BAD_REQUEST:
            raise LedgerRefusal("ABORTED", simulation.response.message)
        self._endorsed[tx_id] = simulation
        return prepared_transaction_payload(
            simulation.proposal, simulation.payload, simulation.endorsements
        )

    async def evaluate(self, tx_id: str, proposal: bytes, signature: bytes) -> bytes:
        """As the peer of the creator's member answers."""
        asked = decode_proposal(proposal, signature)
        client = self._ledger.impersonate(*decode_identity(asked.header.creator))
        function, *args = [argument.decode() for argument in asked.args]
        try:
            answer = client.evaluate(function, *args, transient=dict(asked.transient))
        except ContractError as refusal:
            raise LedgerRefusal("ABORTED", str(refusal)) from refusal
        return json.dumps(answer).encode()

    async def submit(self, tx_id: str, payload: bytes, signature: bytes) -> None:
        await self.publish()
        self.code = self._ledger.commit_one(self._endorsed.pop(tx_id))
        self._ledger.committed.pop()
        await self.add_block((encode_envelope(payload, signature),))

    async def publish(self) -> None:
        """Put what was committed without the gateway, each transaction in a block of its own."""
        for envelope, code in self._ledger.committed:
            self.code = code
            await self.add_block((envelope,))
        self._ledger.committed.clear()
