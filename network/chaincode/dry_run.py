"""What an installed package answers on a peer's present state, before anybody approves it."""

from collections.abc import Iterator
from dataclasses import dataclass

from network.chaincode.arguments import METADATA_FUNCTION, Function, functions_of
from network.chaincode.lifecycle_client import LifecycleClient

STATUS_REFUSED = 400
CRASH_MARKS = (
    "INTERNAL: ",
    "PEER_REFUSED: ",
    "QUERY_WRITES: ",
    "chaincode stream terminated",
    "timeout expired",
)
"""How an answer begins or ends that no contract gives on purpose."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One function and its answer."""

    function: str
    status: int
    message: str
    payload: bytes
    keys_read: int

    @property
    def has_failed(self) -> bool:
        """Whether the contract broke; a refusal by its own rules is an answer."""
        return self.status >= STATUS_REFUSED and any(mark in self.message for mark in CRASH_MARKS)


@dataclass(frozen=True, slots=True)
class DryRunReport:
    """Everything that was tried at one height."""

    height: int
    functions: dict[str, Function]
    trials: tuple[Trial, ...]

    @property
    def failures(self) -> Iterator[Trial]:
        """What must not happen after the upgrade."""
        return (trial for trial in self.trials if trial.has_failed)


async def dry_run(
    client: LifecycleClient, name: str, version: str, package_id: str
) -> DryRunReport:
    """Run the package's metadata and its queries without parameters on the peer's state.

    Raises ChaincodeRefused when the package does not start, WrongArguments without metadata.
    """
    described = await client.try_package(name, version, package_id, [[METADATA_FUNCTION.encode()]])
    functions = functions_of(described.answers[0].payload)
    asked = sorted(
        {
            function.name
            for function in functions.values()
            if function.is_query and not function.parameters and ":" in function.name
        }
    )
    tried = await client.try_package(
        name, version, package_id, [[function.encode()] for function in asked]
    )
    trials = [
        Trial(function, one.status, one.message, one.payload, one.keys_read)
        for function, one in zip(asked, tried.answers, strict=True)
    ]
    return DryRunReport(tried.height, functions, tuple(trials))
