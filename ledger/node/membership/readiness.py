"""Whether the validators that can be reached now could go on after a change of the set.

Asked when a validator takes an update in, never in validation: who reaches whom is no fact that
all could agree on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.consensus.quorum import quorum
from ledger.crypto.certificates import parse_certificate
from ledger.crypto.config_rules import changed_validators
from ledger.errors import InvalidMessage, Reason
from ledger.model.config import ChannelConfig, Consenter

CANDIDATE_LAG_BLOCKS_MAX = 1


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ledger.node.membership.channel_updates.CheckReadiness`, from what this node sees."""

    own_id: int
    is_connected: Callable[[int], bool]
    """Whether this node's link to a consenter is up."""
    observer_height: Callable[[bytes], int | None]
    """Blocks that the observer with this TLS key has; None when it is not connected."""
    height: Callable[[], int]
    """Blocks of this node."""

    def check(self, old: ChannelConfig, new: ChannelConfig) -> None:
        """Raise InvalidMessage VALIDATOR_NOT_READY or QUORUM_AT_RISK, naming who is down."""
        changed = changed_validators(old, new)
        if not changed:
            return
        before = {one.consenter_id: one for one in old.consenters}
        down = []
        for consenter in new.consenters:
            earlier = before.get(consenter.consenter_id)
            if earlier is None:
                self._require_candidate(consenter)
            elif consenter.consenter_id in changed and _keys(earlier) != _keys(consenter):
                # Whether it holds the new key shows only once that is in force.
                down.append(f"{_named(consenter)} gets a new key")
            elif consenter.consenter_id in changed:
                # A link to where it was says nothing of whether it listens where it will be.
                down.append(f"{_named(consenter)} moves there from {_address(earlier)}")
            elif not self._reaches(consenter.consenter_id):
                down.append(f"{_named(consenter)} cannot be reached")
        needed = quorum(len(new.consenters))
        left = len(new.consenters) - len(down)
        if left < needed:
            raise InvalidMessage(
                Reason.QUORUM_AT_RISK,
                f"{len(new.consenters)} validators need {needed}, {left} can be counted on now:"
                f" {'; '.join(down)}",
            )

    def _reaches(self, consenter_id: int) -> bool:
        return consenter_id == self.own_id or self.is_connected(consenter_id)

    def _require_candidate(self, consenter: Consenter) -> None:
        key = parse_certificate(consenter.client_tls_cert).public_key_der
        found, height = self.observer_height(key), self.height()
        if found is None:
            raise InvalidMessage(
                Reason.VALIDATOR_NOT_READY,
                f"{_named(consenter)} is not connected; start it, it follows as an observer",
            )
        if found + CANDIDATE_LAG_BLOCKS_MAX < height:
            raise InvalidMessage(
                Reason.VALIDATOR_NOT_READY,
                f"{_named(consenter)} has {found} of {height} blocks; wait until it has caught up",
            )


def _keys(consenter: Consenter) -> tuple[bytes, ...]:
    pems = (consenter.identity_pem, consenter.client_tls_cert, consenter.server_tls_cert)
    return tuple(parse_certificate(pem).public_key_der for pem in pems)


def _named(consenter: Consenter) -> str:
    return f"validator {consenter.consenter_id} ({consenter.mspid}, {_address(consenter)})"


def _address(consenter: Consenter) -> str:
    return f"{consenter.host}:{consenter.port}"
