"""One link to each validator of the configuration in force, made anew where something changed."""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.pinned_tls import pinned_name, trust_anchor
from ledger.model.block import Block
from ledger.model.config import Consenter
from ledger.model.config_codec import decode_config_block
from ledger.node.membership.channel import CurrentChannel
from ledger.node.membership.credentials import Credentials, InForce
from ledger.rpc.transport import TlsMaterial, validator_channel
from ledger.rpc.validator_links import ValidatorLink, ValidatorLinks


@dataclass(frozen=True, slots=True)
class _Target:
    """What a link depends on."""

    address: str
    server_key: bytes
    own_key_pem: bytes
    presented_pem: bytes


class ChannelLinks:
    """Keeps `ValidatorLinks` in step with the channel; belongs to the event loop."""

    def __init__(
        self,
        *,
        own_id: int,
        channel: CurrentChannel,
        credentials: Credentials,
        links: ValidatorLinks,
        addresses: Mapping[int, str],
        founding: Mapping[int, str],
    ) -> None:
        """`addresses` (host:port): the operator's file's; `founding`: the genesis block's.

        The file goes before the genesis block; what an update said since goes before the file.
        """
        self._own_id = own_id
        self._channel = channel
        self._credentials = credentials
        self._links = links
        self._addresses = addresses
        self._founding = founding
        self._targets: dict[int, _Target] = {}

    def refresh(self) -> None:
        """Open links to new validators, end those to removed ones, and renew what changed."""
        own = self._credentials.now
        consenters = {
            one.consenter_id: one
            for one in self._channel.state.config.consenters
            if one.consenter_id != self._own_id
        }
        for consenter_id in self._targets.keys() - consenters.keys():
            self._links.drop(consenter_id)
            del self._targets[consenter_id]
        for consenter_id, consenter in consenters.items():
            target = self._target(consenter, own)
            if self._targets.get(consenter_id) != target:
                self._targets[consenter_id] = target
                self._links.put(_link(consenter, target))

    def _target(self, consenter: Consenter, own: InForce) -> _Target:
        return _Target(
            address=self._address(consenter),
            server_key=parse_certificate(consenter.server_tls_cert).public_key_der,
            own_key_pem=own.validator_tls.key_pem,
            presented_pem=own.link_certificate_pem,
        )

    def _address(self, consenter: Consenter) -> str:
        named = _address_in_channel(consenter)
        if named != self._founding.get(consenter.consenter_id):
            return named  # added or moved on the ledger; the file may be older than that
        return self._addresses.get(consenter.consenter_id, named)


def founding_addresses(genesis: Block) -> dict[int, str]:
    """host:port of each consenter of a genesis block."""
    config = decode_config_block(genesis)
    return {one.consenter_id: _address_in_channel(one) for one in config.consenters}


def _address_in_channel(consenter: Consenter) -> str:
    return f"{consenter.host}:{consenter.port}"


def _link(consenter: Consenter, target: _Target) -> ValidatorLink:
    """A link that accepts nobody but the holder of the key that the channel records."""
    server = parse_certificate(consenter.server_tls_cert)
    tls = TlsMaterial(
        certificate_pem=target.presented_pem,
        key_pem=target.own_key_pem,
        ca_bundle_pem=trust_anchor(server.public_key),
        server_name=pinned_name(server.public_key_der),
    )
    return ValidatorLink(consenter.consenter_id, validator_channel(target.address, tls))
