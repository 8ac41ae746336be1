"""Trying an installed package on the present state, before a member approves it.

The chaincode runs as it would, on one pinned snapshot and in simulations that are thrown away.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from ledger.endorsement.lifecycle.invocable import Invocable
from ledger.endorsement.lifecycle.rules import LifecycleRefused
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.endorsement.runtimes.runtime import ChaincodeRuntime
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.model.rwset import ReadWriteSet
from ledger.model.transaction import SignedProposal
from ledger.wire.dry_run_pb2 import DryRunAnswer, DryRunArgs, DryRunCall, DryRunResult

DRY_RUN = "DryRunChaincode"
"""The one function of `_lifecycle` that Fabric does not have."""
CALLS_MAX = 100
TIMEOUT_S = 60.0
STATUS_ERROR = 500

Trial = Callable[[Invocable], AbstractAsyncContextManager[ChaincodeRuntime]]
"""Runs a package for a while, beside what the peer runs; raises ExecutionFailed."""


class DryRuns:
    """The function DryRunChaincode of `_lifecycle`; one at a time."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._one_at_a_time = asyncio.Lock()

    async def run(
        self, raw: bytes, proposal: SignedProposal, simulator: TransactionSimulator
    ) -> bytes:
        """Every call's answer; raises LifecycleRefused when the package does not run at all."""
        wanted = DryRunArgs.FromString(raw)
        if len(wanted.calls) > CALLS_MAX:
            raise LifecycleRefused(f"at most {CALLS_MAX} calls are tried at once")
        chaincode = Invocable(wanted.name, wanted.version, wanted.package_id, init_required=False)
        result = DryRunResult(height=simulator.snapshot.height)
        try:
            async with (
                self._one_at_a_time,
                asyncio.timeout(TIMEOUT_S),
                self._trial(chaincode) as runtime,
            ):
                for call in wanted.calls:
                    scratch = simulator.fresh()
                    answer = await _answer(runtime, proposal, scratch, tuple(call.args))
                    result.answers.append(answer)
        except ExecutionFailed as error:
            raise LifecycleRefused(str(error)) from error
        except TimeoutError as error:
            raise LifecycleRefused(f"the dry run took longer than {TIMEOUT_S:.0f} s") from error
        return result.SerializeToString()


async def _answer(
    runtime: ChaincodeRuntime,
    proposal: SignedProposal,
    scratch: TransactionSimulator,
    args: tuple[bytes, ...],
) -> DryRunAnswer:
    try:
        execution = await runtime.execute(proposal, scratch, args)
    except ExecutionFailed as error:
        return DryRunAnswer(status=STATUS_ERROR, message=str(error))
    response, results = execution.response, execution.simulator.results()
    return DryRunAnswer(
        status=response.status,
        message=response.message,
        payload=response.payload,
        keys_read=_total(results, "reads"),
        keys_written=_total(results, "writes"),
    )


def _total(results: ReadWriteSet, what: str) -> int:
    return sum(len(getattr(one, what)) for one in results.namespaces)


# -- for clients ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TriedCall:
    """What a function answered, and how much it read and would have written."""

    status: int
    message: str
    payload: bytes
    keys_read: int
    keys_written: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """All answers, on the state after `height` blocks."""

    height: int
    answers: tuple[TriedCall, ...]


def encode_dry_run_arguments(
    name: str, version: str, package_id: str, calls: Sequence[Sequence[bytes]]
) -> bytes:
    """Of a dry run of an installed package on the state of chaincode `name`."""
    return DryRunArgs(
        name=name,
        version=version,
        package_id=package_id,
        calls=[DryRunCall(args=args) for args in calls],
    ).SerializeToString()


def decode_dry_run(raw: bytes) -> DryRun:
    """The answer to it."""
    result = DryRunResult.FromString(raw)
    return DryRun(
        result.height,
        tuple(
            [
                TriedCall(one.status, one.message, one.payload, one.keys_read, one.keys_written)
                for one in result.answers
            ]
        ),
    )
