"""Configuration updates that became outdated while they waited are forgotten, not ordered.

Fabric's peers halt at a block with a configuration that does not apply, so none is proposed.
"""

import logging
from collections.abc import Callable

from ledger.errors import InvalidMessage
from ledger.model.transaction import Envelope
from ledger.ordering.pool import TransactionPool

logger = logging.getLogger(__name__)


class WaitingConfigs:
    """Judges the CONFIG envelopes of a pool under the configuration in force."""

    def __init__(self, pool: TransactionPool, check_config: Callable[[Envelope], None]) -> None:
        """`check_config` raises InvalidMessage for one that would not take effect now."""
        self._pool = pool
        self._check_config = check_config

    def holds(self, envelope: Envelope) -> bool:
        """Whether it would take effect now; otherwise it waits no longer."""
        try:
            self._check_config(envelope)
        except InvalidMessage as error:
            logger.info("configuration update %s is not ordered: %s", envelope.tx_id, error)
            self._pool.remove((envelope.tx_id,))
            return False
        return True

    def forget_outdated(self) -> None:
        """After a change of the configuration: what was made on the one before it goes."""
        for envelope in self._pool.all():
            if envelope.is_config:
                self.holds(envelope)
