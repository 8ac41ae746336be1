"""What contracts of the test ledger wrote, transaction by transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.shim.testing import TestLedger
from chaincode.shim.testing.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Recorded:
    """A valid transaction: its call, what it wrote, and the time of its block."""

    function: str
    args: tuple[str, ...]
    writes: dict[str, bytes]
    """An empty value deletes."""
    at_ms: int


def record(ledger: TestLedger) -> list[Recorded]:
    """The transactions of this ledger from now on; the list grows with them."""
    found: list[Recorded] = []
    commit, commit_valid = ledger.commit, ledger.commit_valid

    def note(simulation: Simulation) -> None:
        function, *args = [arg.decode() for arg in simulation.proposal.args]
        writes = {key: value or b"" for key, value in simulation.writes.items()}
        found.append(Recorded(function, tuple(args), writes, ledger.now_ns // 1_000_000))

    def recorded_block(simulations: Sequence[Simulation]) -> list[str]:
        codes = commit(simulations)
        for simulation, code in zip(simulations, codes, strict=True):
            if code == "VALID":
                note(simulation)
        return codes

    def recorded_transaction(simulation: Simulation) -> None:
        commit_valid(simulation)
        note(simulation)

    ledger.commit = recorded_block  # type: ignore[method-assign]
    ledger.commit_valid = recorded_transaction  # type: ignore[method-assign]
    return found
