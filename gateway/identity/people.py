"""Everything about people, put together over one database."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.community import Community
from gateway.database import Database
from gateway.identity.device_keys import DeviceKeys
from gateway.identity.enrolment import Enrolment
from gateway.identity.identity_log import IdentityLog
from gateway.identity.passkeys import Passkeys
from gateway.identity.passwords import Passwords
from gateway.ports import CertificateIssuer


@dataclass(frozen=True, slots=True)
class People:
    """The use cases of `gateway.identity`."""

    enrolment: Enrolment
    device_keys: DeviceKeys
    passwords: Passwords
    passkeys: Passkeys
    log: IdentityLog

    @classmethod
    def over(
        cls,
        database: Database,
        clock_ms: Callable[[], int],
        *,
        community: Community,
        issuer: CertificateIssuer,
        community_name: str,
    ) -> "People":
        """All of them, with one log."""
        log = IdentityLog(database, clock_ms)
        return cls(
            enrolment=Enrolment(database, clock_ms, log, community, issuer),
            device_keys=DeviceKeys(database, clock_ms, log, community, issuer),
            passwords=Passwords(database, clock_ms, log),
            passkeys=Passkeys(database, clock_ms, log, community_name),
            log=log,
        )
