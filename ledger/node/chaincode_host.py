"""The chaincodes of a peer: its own system chaincodes, its member's contracts, the endorser."""

import asyncio

from ledger.endorsement.dispatch import ChaincodeDispatch
from ledger.endorsement.endorser import Endorser, EndorserPorts
from ledger.endorsement.lifecycle.agreement import DefinitionFunctions
from ledger.endorsement.lifecycle.chaincode import Lifecycle
from ledger.endorsement.lifecycle.dry_run import DryRuns
from ledger.endorsement.lifecycle.installs import PackageInstalls
from ledger.endorsement.lifecycle.invocable import MemberChaincodes, NotInvocable
from ledger.endorsement.lifecycle.messages import References
from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.packages.store import PackageStore
from ledger.endorsement.proposal_checks import ProposalRules
from ledger.endorsement.runtimes.peer_session import Execution, RunningTransaction
from ledger.endorsement.runtimes.shim_handler import ChaincodeCall
from ledger.endorsement.system.access import SystemAccess
from ledger.endorsement.system.chaincodes import (
    CONFIGURATION_CHAINCODE,
    QUERY_CHAINCODE,
    SYSTEM_CHAINCODES,
    SystemChaincode,
)
from ledger.endorsement.system.configuration_chaincode import ConfigurationChaincode
from ledger.endorsement.system.query_chaincode import QueryChaincode
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE
from ledger.model.state import StateSnapshot
from ledger.model.transaction import ProposalResponse, SignedProposal
from ledger.node.chaincodes.dial_in import DialIn
from ledger.node.chaincodes.runtimes import ChaincodeRuntimes, PackageBuilder
from ledger.node.committing.committer import CommittedBlock
from ledger.node.committing.transaction_lookup import LedgerLookup
from ledger.node.foundation import Foundation
from ledger.node.private_parts import PrivateStreams
from ledger.node.process.clock import now_ms


class ChaincodeHost:
    """Answers proposals, and keeps running what the ledger says this peer should run."""

    def __init__(self, base: Foundation, private: PrivateStreams) -> None:
        config = base.config
        self._base = base
        self._private = private
        self._packages = PackageStore(config.packages_dir)
        self.dial_in = DialIn(config.chaincode_streams)
        self._runtimes = ChaincodeRuntimes(
            self._packages, mspid=config.mspid, call=self._call, dial_in=self.dial_in
        )
        self._chaincodes = MemberChaincodes(
            mspid=config.mspid,
            channel_id=config.channel_id,
            packages=self._runtimes.available,
        )
        self._dispatch = ChaincodeDispatch(
            channel_id=config.channel_id,
            system=self._system_chaincodes(),
            chaincodes=self._chaincodes,
            runtimes=self._runtimes,
        )
        self._endorser = self._new_endorser()
        self._refreshing: asyncio.Task[None] | None = None
        self._is_stale = False

    async def start(self) -> None:
        """Start what is committed and approved; a chaincode that does not start is logged."""
        await self._refresh()

    async def stop(self) -> None:
        """End every chaincode."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        await self._runtimes.close()

    async def process(self, proposal: SignedProposal) -> ProposalResponse:
        """Endorse a proposal; raises InvalidMessage for one that may not be simulated."""
        return await self._endorser.process(proposal)

    def runs(self, chaincode: str) -> bool:
        """Whether this peer may run the chaincode now (its own system chaincodes always)."""
        if chaincode in SYSTEM_CHAINCODES:
            return True
        try:
            self._chaincodes.invocable(chaincode, self._base.store.snapshot())
        except NotInvocable:
            return False
        return True

    def committed(self, block: CommittedBlock) -> None:
        """A block is durable: what the lifecycle wrote may start and end chaincodes."""
        changed = block.validation.updates.keys
        if any(namespace.startswith(LIFECYCLE_NAMESPACE) for namespace, _ in changed):
            self._refresh_soon()

    def _refresh_soon(self) -> None:
        self._is_stale = True
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh_until_done(), name="chaincodes")

    async def _refresh_until_done(self) -> None:
        while self._is_stale:
            await self._refresh()

    async def _refresh(self) -> None:
        self._is_stale = False
        await self._runtimes.keep(self._chaincodes.to_run(self._base.store.snapshot()))

    async def _call(self, transaction: RunningTransaction, call: ChaincodeCall) -> Execution:
        return await self._dispatch.call(transaction, call)

    # -- parts ------------------------------------------------------------------------------------

    def _new_endorser(self) -> Endorser:
        base = self._base
        limits = SimulationLimits()
        lookup = LedgerLookup(base.store)

        def rules() -> ProposalRules:
            state = base.channel.state
            return ProposalRules(
                channel_id=base.config.channel_id,
                registry=state.registry,
                policies=state.policies,
                is_recorded=lookup.is_committed,
                limits=limits,
            )

        return Endorser(
            identity=lambda: base.credentials.identity,
            dispatch=self._dispatch,
            ports=EndorserPorts(
                rules=rules,
                verify=base.signatures.check_off_loop,
                snapshot=base.store.snapshot,
                clock_ms=now_ms,
                on_signed=base.signatures.remember,
                keep_private=self._private.dissemination.keep,
                settled=self._private.reconciler.settled,
            ),
            limits=limits,
        )

    def _system_chaincodes(self) -> dict[str, SystemChaincode]:
        base = self._base
        channel, channel_id, store = base.channel, base.config.channel_id, base.store
        access = SystemAccess(
            mspid=base.config.mspid,
            channel_id=channel_id,
            registry=lambda: channel.state.registry,
            policies=lambda: channel.state.policies,
        )

        def config_block() -> bytes:
            return store.block_raw(store.last_config_number()) or b""

        return {
            LIFECYCLE_NAMESPACE: self._lifecycle(access),
            QUERY_CHAINCODE: QueryChaincode(channel_id, store, access),
            CONFIGURATION_CHAINCODE: ConfigurationChaincode(
                channel_id,
                config_block=config_block,
                channel_config=lambda: channel.state.tree_raw,
                access=access,
            ),
        }

    def _lifecycle(self, access: SystemAccess) -> Lifecycle:
        config, channel = self._base.config, self._base.channel

        def members() -> list[str]:
            return [one.mspid for one in channel.state.config.members if one.in_application]

        def references(package_id: str, state: StateSnapshot) -> References:
            found = self._chaincodes.references(package_id, state)
            return {config.channel_id: found} if found else {}

        return Lifecycle(
            DefinitionFunctions(mspid=config.mspid, channel_id=config.channel_id, members=members),
            PackageInstalls(
                self._packages,
                builder=PackageBuilder(),
                references=references,
                on_installed=self._refresh_soon,
            ),
            DryRuns(self._runtimes.trial),
            access,
        )
