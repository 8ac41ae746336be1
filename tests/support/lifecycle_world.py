"""A ledger whose members agree on chaincodes: every member's peer runs the real lifecycle."""

import asyncio
from pathlib import Path

from ledger.crypto.hashing import sha256
from ledger.crypto.signing import SigningIdentity
from ledger.endorsement.lifecycle.agreement import DefinitionFunctions
from ledger.endorsement.lifecycle.chaincode import Lifecycle
from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.endorsement.lifecycle.dry_run import DryRuns
from ledger.endorsement.lifecycle.installs import PackageInstalls
from ledger.endorsement.lifecycle.invocable import MemberChaincodes
from ledger.endorsement.lifecycle.messages import (
    encode_approve_arguments,
    encode_commit_arguments,
)
from ledger.endorsement.packages.store import PackageStore
from ledger.endorsement.runtimes.peer_session import Execution, ExecutionFailed
from ledger.endorsement.simulation.collection_access import CollectionAccess
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.endorsement.system.access import SystemAccess
from ledger.model.codes import ValidationCode
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE
from ledger.model.private_collections import implicit_name
from ledger.model.private_rwset import decode_private_writes
from ledger.model.state import hashed_key, hashed_namespace, private_namespace
from ledger.node.chaincodes.runtimes import PackageBuilder
from ledger.storage.keyspace import encode_state, private_prefix
from ledger.validation.committed_collections import CommittedCollections
from tests.support.endorsing_world import EndorsingWorld
from tests.support.identities import CHANNEL_ID, MSPIDS, Consortium
from tests.support.ledger_world import LIFECYCLE_DEFINITION

WAITING = {"InstallChaincode", "GetInstalledChaincodePackage"}


def _at_once(answering):
    """The result of a coroutine that waits for nothing, whatever runs around it."""
    try:
        answering.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("this function waits")


def _no_trial(chaincode):
    raise ExecutionFailed(f"{chaincode.package_id} is not run in this world")


class MemberPeer:
    """The lifecycle of one member's peer."""

    def __init__(self, consortium: Consortium, policies, mspid: str, folder: Path) -> None:
        self.mspid = mspid
        self.store = PackageStore(folder / mspid)
        self.chaincodes = MemberChaincodes(
            mspid=mspid,
            channel_id=CHANNEL_ID,
            packages=lambda: [one.package_id for one in self.store.installed()],
        )
        self.installs = 0
        registry = consortium.registry()
        self.access = SystemAccess(
            mspid=mspid,
            channel_id=CHANNEL_ID,
            registry=lambda: registry,
            policies=lambda: policies,
        )
        self.lifecycle = Lifecycle(
            DefinitionFunctions(mspid=mspid, channel_id=CHANNEL_ID, members=lambda: MSPIDS),
            PackageInstalls(
                self.store,
                builder=PackageBuilder(),
                references=self._references,
                on_installed=self._installed,
            ),
            DryRuns(_no_trial),
            self.access,
        )

    def _references(self, package_id, state):
        found = self.chaincodes.references(package_id, state)
        return {CHANNEL_ID: found} if found else {}

    def _installed(self):
        self.installs += 1


class LifecycleWorld(EndorsingWorld):
    """All members' peers over one ledger; private data lies where its members look for it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.definitions[LIFECYCLE_NAMESPACE] = LIFECYCLE_DEFINITION
        self.peers = {
            mspid: MemberPeer(self.consortium, self.policies, mspid, folder) for mspid in MSPIDS
        }

    def admin(self, mspid: str) -> SigningIdentity:
        return self.consortium.member(mspid).admin

    def invoke(
        self,
        function: str,
        *args: bytes,
        at: str = "CoopMSP",
        client: SigningIdentity | None = None,
    ) -> Execution:
        """A function of `_lifecycle` on one member's peer, asked by its administrator."""
        proposal = self.propose(
            function, *args, client=client or self.admin(at), chaincode=LIFECYCLE_NAMESPACE
        )
        snapshot = self.store.snapshot()
        access = CollectionAccess(CHANNEL_ID, CommittedCollections(snapshot).find)
        simulator = TransactionSimulator(snapshot, proposal.tx_id, collections=access)
        answering = self.peers[at].lifecycle.invoke(proposal, simulator)
        return asyncio.run(answering) if function in WAITING else _at_once(answering)

    def record(self, execution: Execution, *endorsers: str) -> ValidationCode:
        """Commit what a simulation gave, endorsed by those members, and its private values."""
        assert execution.response.status == 200, execution.response
        entry = self.transaction(
            results=execution.simulator.results(),
            chaincode=LIFECYCLE_NAMESPACE,
            endorsed_chaincode=LIFECYCLE_NAMESPACE,
            version="syscc",
            endorsers=tuple(self.consortium.member(mspid).node for mspid in endorsers),
        )
        (code,) = self.commit(entry)
        if code == ValidationCode.VALID:
            self._keep_private(execution)
        return code

    def _keep_private(self, execution: Execution) -> None:
        for one in execution.simulator.private_results().collections:
            hashed = hashed_namespace(one.namespace, one.collection)
            prefix = private_prefix(private_namespace(one.namespace, one.collection))
            for write in decode_private_writes(one.raw).writes:
                version = self.store.get_state(
                    hashed, hashed_key(sha256(write.key.encode()))
                ).version
                record = encode_state(write.value, version, ())
                self.kv.write([(prefix + write.key.encode(), record)], sync=True)
        self.open()

    def approve(self, definition: FullDefinition, package_id: str = "", *members: str) -> None:
        """Those members approve, all of them if none is named."""
        raw = encode_approve_arguments(definition, package_id)
        for mspid in members or MSPIDS:
            execution = self.invoke("ApproveChaincodeDefinitionForMyOrg", raw, at=mspid)
            assert self.record(execution, mspid) == ValidationCode.VALID

    def commit_definition(self, definition: FullDefinition, *endorsers: str) -> ValidationCode:
        """Commit, endorsed by the peers of those members (three if none is named)."""
        raw = encode_commit_arguments(definition)
        chosen = endorsers or MSPIDS[:3]
        executions = [self.invoke("CommitChaincodeDefinition", raw, at=one) for one in chosen]
        return self.record(executions[0], *chosen)

    def refusal(self, function: str, *args: bytes, **where: object) -> str:
        """The text of a call that must be refused."""
        response = self.invoke(function, *args, **where).response
        assert response.status == 500, response
        return response.message

    def lose_private_data(self, mspid: str) -> None:
        """What a member's peer has that got its ledger anew, from a snapshot or from others."""
        place = private_namespace(LIFECYCLE_NAMESPACE, implicit_name(mspid))
        prefix = private_prefix(place)
        rows = [key for key, _ in self.kv.iterate(prefix, prefix + b"\xff")]
        assert rows
        self.kv.write([(key, None) for key in rows], sync=True)
        self.open()
