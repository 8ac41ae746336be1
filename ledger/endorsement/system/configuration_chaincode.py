"""`cscc`: which channels this peer has, and their configuration."""

from collections.abc import Callable

from ledger.endorsement.runtimes.peer_session import Execution
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.endorsement.system.access import AccessDenied, SystemAccess
from ledger.endorsement.system.chaincodes import (
    CONFIGURATION_CHAINCODE,
    failure,
    function_name,
    success,
)
from ledger.model.transaction import ChaincodeResponse, SignedProposal
from ledger.wire import protos_pb2

CHANNELS = "GetChannels"
CONFIG_BLOCK = "GetConfigBlock"
CHANNEL_CONFIG = "GetChannelConfig"
FUNCTIONS = frozenset({CHANNELS, CONFIG_BLOCK, CHANNEL_CONFIG})
OPERATORS_FUNCTIONS = frozenset({"JoinChain", "JoinChainBySnapshot", "JoinBySnapshotStatus"})
"""Fabric's peers are told their channels by these; ours by their configuration."""


class ConfigurationChaincode:
    """Reads; a channel is changed by a configuration update and joined by `gridledger`."""

    def __init__(
        self,
        channel_id: str,
        *,
        config_block: Callable[[], bytes],
        channel_config: Callable[[], bytes],
        access: SystemAccess,
    ) -> None:
        """`config_block` gives common.Block, `channel_config` common.Config bytes in force."""
        self._channel_id = channel_id
        self._config_block = config_block
        self._channel_config = channel_config
        self._access = access

    async def invoke(self, proposal: SignedProposal, simulator: TransactionSimulator) -> Execution:
        """See SystemChaincode; arguments: function, and channel where it needs one."""
        return Execution(self._answer(proposal), None, simulator)

    def _answer(self, proposal: SignedProposal) -> ChaincodeResponse:
        name, args = function_name(proposal), proposal.args
        if name in OPERATORS_FUNCTIONS:
            return failure(f"{name} is not for this peer: its configuration names its channel")
        if name not in FUNCTIONS:
            return failure(f"Requested function {name[:80]} not found.")
        if name != CHANNELS and len(args) < 2:  # noqa: PLR2004 - function and channel
            return failure(f"Incorrect number of arguments, {len(args)}")
        channel = args[1].decode("utf-8", "replace")[:80] if name != CHANNELS else ""
        try:
            self._access.require(f"{CONFIGURATION_CHAINCODE}/{name}", proposal.header.creator)
        except AccessDenied as error:
            place = f"[{name}]" if name == CHANNELS else f"[{name}][{channel}]"
            return failure(f"access denied for {place}: {error}")
        if name == CHANNELS:
            return success(self._channels())
        if channel != self._channel_id:
            return failure(f"Unknown channel ID, {channel}")
        read = self._config_block if name == CONFIG_BLOCK else self._channel_config
        return success(read())

    def _channels(self) -> bytes:
        ours = protos_pb2.ChannelInfo(channel_id=self._channel_id)
        return protos_pb2.ChannelQueryResponse(channels=[ours]).SerializeToString()
