"""Certificates on a running node: changed files are taken up, approaching ends are announced.

Expiry stops no consensus (keys are what counts there), but an expired certificate endorses nothing
and lets no client in.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator

from ledger.crypto.certificates import load_x509, milliseconds
from ledger.model.config import ChannelConfig
from ledger.node.membership.channel import CurrentChannel
from ledger.node.membership.credentials import Credentials

log = logging.getLogger(__name__)

WARNING_DAYS = (30, 7, 1, 0)
"""A certificate is announced when so many days are left; 0: it has expired."""
LOOK_INTERVAL_S = 1.0
DAY_MS = 24 * 3600 * 1000


class CertificateWatch:
    """Looks at the files and at the calendar; belongs to the event loop."""

    def __init__(
        self,
        *,
        credentials: Credentials,
        channel: CurrentChannel,
        clock_ms: Callable[[], int],
        on_reloaded: Callable[[], None],
    ) -> None:
        self._credentials = credentials
        self._channel = channel
        self._clock_ms = clock_ms
        self._on_reloaded = on_reloaded
        self._announced: dict[bytes, int] = {}
        self._ends_ms: dict[bytes, int] = {}

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_INTERVAL_S)

    def look(self) -> None:
        """Take up changed files, and warn once as each limit is passed."""
        if self._credentials.reload_changed_files():
            self._on_reloaded()
        now = self._credentials.now
        own = (
            ("this peer's identity", now.identity.certificate_pem),
            ("this peer's TLS certificate", now.client_tls.certificate_pem),
        )
        for name, pem in (*own, *_of_channel(self._channel.state.config)):
            self._announce(name, pem)

    def _announce(self, name: str, pem: bytes) -> None:
        if pem not in self._ends_ms:
            self._ends_ms[pem] = milliseconds(load_x509(pem).not_valid_after_utc)
        left_ms = self._ends_ms[pem] - self._clock_ms()
        passed = [days for days in WARNING_DAYS if left_ms < days * DAY_MS]
        if not passed or self._announced.get(pem) == passed[-1]:
            return
        self._announced[pem] = passed[-1]
        if left_ms < 0:
            log.warning("%s has expired; gridledger cert rotate renews it", name)
        else:
            days = left_ms // DAY_MS
            log.warning("%s expires in %d days; gridledger cert rotate renews it", name, days)


def _of_channel(config: ChannelConfig) -> Iterator[tuple[str, bytes]]:
    """Every certificate in the configuration: authorities and validators."""
    for member in config.members:
        for pem in (*member.root_certs, *member.intermediate_certs):
            yield f"an authority of {member.mspid}", pem
        for pem in member.tls_root_certs:
            yield f"a TLS authority of {member.mspid}", pem
    for consenter in config.consenters:
        name = f"validator {consenter.consenter_id} ({consenter.mspid}) in the channel"
        yield f"the identity of {name}", consenter.identity_pem
        yield f"the TLS certificate of {name}", consenter.server_tls_cert
