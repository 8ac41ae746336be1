"""A transaction of the test ledger that was simulated and endorsed but is not committed."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chaincode.shim.errors import STATUS_BAD_REQUEST, ContractError
from chaincode.shim.requests import Response
from chaincode.shim.testing.identities import TestIdentity
from ledger.model.private_rwset import PrivateReadWriteSet
from ledger.model.rwset import NamespaceReadWriteSet, ReadWriteSet, Version
from ledger.model.transaction import Endorsement, SignedProposal

VALID = "VALID"
MVCC_READ_CONFLICT = "MVCC_READ_CONFLICT"
PHANTOM_READ_CONFLICT = "PHANTOM_READ_CONFLICT"
ENDORSEMENT_POLICY_FAILURE = "ENDORSEMENT_POLICY_FAILURE"


@dataclass(frozen=True, slots=True)
class Event:
    """A committed chaincode event; `value` is its payload decoded as JSON if it is JSON."""

    name: str
    payload: bytes
    tx_id: str

    @property
    def value(self) -> Any:
        """The payload's JSON value."""
        return json.loads(self.payload)


@dataclass(frozen=True)
class Simulation:
    """What the endorsing peers agreed on, and their signatures."""

    chaincode: str
    client: TestIdentity
    proposal: SignedProposal
    response: Response
    event: Event | None
    results: ReadWriteSet
    private: PrivateReadWriteSet
    payload: bytes
    """ProposalResponsePayload bytes, which the endorsers signed; empty if refused."""
    endorsements: tuple[Endorsement, ...]
    bug: Exception | None = None
    """What the contract raised where it should have raised ContractError."""

    @property
    def tx_id(self) -> str:
        """Transaction id."""
        return self.proposal.tx_id

    @property
    def result(self) -> Any:
        """The decoded result; ContractError if the contract refused."""
        if self.response.status >= STATUS_BAD_REQUEST:
            code, _, message = self.response.message.partition(": ")
            raise ContractError(code, message, self.response.status) from self.bug
        return decode_result(self.response.payload)

    @property
    def reads(self) -> dict[str, Version | None]:
        """Keys of the chaincode read one by one, and the version each had."""
        return {read.key: read.version for read in self._own.reads}

    @property
    def ranges(self) -> list[tuple[str, str, int]]:
        """Start, end and number of rows of each scan; 0 rows where there is only a summary."""
        return [(q.start_key, q.end_key, len(q.reads)) for q in self._own.range_queries]

    @property
    def writes(self) -> dict[str, bytes | None]:
        """Keys of the chaincode and their new values; None: deleted."""
        return {w.key: None if w.is_delete else w.value for w in self._own.writes}

    @cached_property
    def _own(self) -> NamespaceReadWriteSet:
        mine = (n for n in self.results.namespaces if n.namespace == self.chaincode)
        return next(mine, NamespaceReadWriteSet(self.chaincode))


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A function that ran: the message of its refusal, or what its endorsers signed."""

    function: str
    message: str
    payload: bytes
    """ProposalResponsePayload bytes: reads, writes, event and result."""


def recorded_call(simulation: Simulation) -> RecordedCall:
    """What is kept of a call that ran."""
    function = simulation.proposal.args[0].decode("utf-8", "replace")
    return RecordedCall(function, simulation.response.message, simulation.payload)


def decode_result(payload: bytes) -> Any:
    """JSON value if the payload is JSON, else text, else bytes; None if empty."""
    if not payload:
        return None
    try:
        return json.loads(payload)
    except ValueError:
        pass
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        return payload
