"""What an administrator may send to `_lifecycle`, and anybody to `qscc`."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.endorsement.lifecycle.messages import (
    encode_approve_arguments,
    encode_commit_arguments,
    encode_query_approved_arguments,
    encode_query_arguments,
    encode_readiness_arguments,
)
from ledger.endorsement.system.query_chaincode import QueryChaincode
from ledger.model.policy import Principal, Role, SignaturePolicy, SignedBy
from ledger.model.private_collections import Collection, encode_collections
from tests.fuzz.engine import Attempt, FuzzTarget
from tests.support.identities import CHANNEL_ID, MSPIDS
from tests.support.lifecycle_world import LifecycleWorld

ARGUMENT_BYTES_MAX = 128 * 1024
PACKAGE_ID = "energy_1.0:" + "ab" * 32
MEMBERS = SignaturePolicy(SignedBy(0), (Principal(MSPIDS[0], Role.MEMBER),))
DEFINITION = FullDefinition(
    "energy",
    1,
    "1.0",
    collections=encode_collections([Collection(name="shared", member_policy=MEMBERS)]),
)
HOSTILE_NAME = "a" * 41 + "!"
"""Almost a name: what an expression that repeats what repeats never gets through with."""
HOSTILE = replace(
    DEFINITION,
    collections=encode_collections([Collection(name=HOSTILE_NAME, member_policy=MEMBERS)]),
)


@cache
def _world() -> LifecycleWorld:
    """Nobody installs anything here, so nothing is written to the folder."""
    return LifecycleWorld(Path(mkdtemp(prefix="gridledger-fuzz-")))


def _calling(function: str) -> Callable[[], Attempt]:
    def attempt(raw: bytes) -> str:
        response = _world().invoke(function, raw).response
        return response.message if response.status != 200 else "accepted"

    return lambda: attempt


def _asking() -> Attempt:
    world = _world()
    chaincode = QueryChaincode(CHANNEL_ID, world.store, world.peers[MSPIDS[0]].access)
    functions = ("GetBlockByNumber", "GetBlockByHash", "GetTransactionByID", "GetBlockByTxID")

    def attempt(raw: bytes) -> str:
        answers = []
        for function in functions:
            proposal = world.propose(function, CHANNEL_ID, raw)
            answering = chaincode.invoke(proposal, world.simulator(proposal))
            answers.append(str(asyncio.run(answering).response.status))
        return " ".join(answers)

    return attempt


def _target(function: str, *samples: bytes) -> FuzzTarget:
    return FuzzTarget(
        f"lifecycle-{function.lower()}",
        f"an administrator calls {function}",
        lambda: list(samples),
        _calling(function),
        ARGUMENT_BYTES_MAX,
        allowed=(),
    )


TARGETS = (
    _target(
        "ApproveChaincodeDefinitionForMyOrg",
        encode_approve_arguments(DEFINITION, PACKAGE_ID),
        encode_approve_arguments(HOSTILE, PACKAGE_ID),
    ),
    _target(
        "CommitChaincodeDefinition",
        encode_commit_arguments(DEFINITION),
        encode_commit_arguments(HOSTILE),
    ),
    _target(
        "CheckCommitReadiness",
        encode_readiness_arguments(DEFINITION),
        encode_readiness_arguments(HOSTILE),
    ),
    _target("QueryChaincodeDefinition", encode_query_arguments("energy")),
    _target("QueryApprovedChaincodeDefinition", encode_query_approved_arguments("energy", 1)),
    FuzzTarget(
        "query-chaincode",
        "a reader asks for blocks and transactions",
        lambda: [b"0", b"1", b"ab" * 32],
        _asking,
        ARGUMENT_BYTES_MAX,
        allowed=(),
    ),
)
