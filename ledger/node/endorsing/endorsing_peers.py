"""Whose peers may be asked to endorse under the configuration in force, and their addresses."""

from ledger.model.config import ChannelConfig
from ledger.node.endorsing.organizations import EndorsingPeer
from ledger.node.membership.channel import CurrentChannel


class OtherEndorsers:
    """The other validators' peers; the same list until the configuration changes."""

    def __init__(self, channel: CurrentChannel, own_id: int) -> None:
        self._channel = channel
        self._own_id = own_id
        self._state = channel.state
        self._peers = _other_endorsers(self._state.config, own_id)

    def __call__(self) -> list[EndorsingPeer]:
        state = self._channel.state
        if state is not self._state:
            self._state, self._peers = state, _other_endorsers(state.config, self._own_id)
        return self._peers


def _other_endorsers(channel: ChannelConfig, own_id: int) -> list[EndorsingPeer]:
    """The validators' peers, by the addresses at which clients know their members."""
    addresses = client_addresses(channel)
    return [
        EndorsingPeer(
            consenter.mspid,
            consenter.consenter_id,
            addresses.get(consenter.consenter_id, f"{consenter.host}:{consenter.port}"),
        )
        for consenter in channel.consenters
        if consenter.consenter_id != own_id
    ]


def client_addresses(channel: ChannelConfig) -> dict[int, str]:
    """host:port for clients, by consenter id.

    A member's anchor peers stand in the order of its consenters' ids.
    """
    addresses: dict[int, str] = {}
    for member in channel.members:
        ids = [one.consenter_id for one in channel.consenters if one.mspid == member.mspid]
        for consenter_id, (host, port) in zip(ids, member.anchor_peers, strict=False):
            addresses[consenter_id] = f"{host}:{port}"
    return addresses
