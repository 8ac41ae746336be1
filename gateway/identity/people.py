"""Everything about people, put together over one database."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.books.community import Community
from gateway.database import Database
from gateway.identity.challenges import Challenges
from gateway.identity.device_keys import DeviceKeys
from gateway.identity.ending import Endings
from gateway.identity.enrolment import Enrolment
from gateway.identity.identity_log import IdentityLog
from gateway.identity.key_login import KeyLogin
from gateway.identity.own_sessions import OwnSessions
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
    key_login: KeyLogin
    own_sessions: OwnSessions
    log: IdentityLog
    endings: Endings

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
        endings = Endings(database, clock_ms, log=log, community=community)
        challenges = Challenges(database, clock_ms)
        return cls(
            enrolment=Enrolment(database, clock_ms, log, community, issuer, endings),
            device_keys=DeviceKeys(database, clock_ms, log, community, issuer),
            passwords=Passwords(database, clock_ms, log, endings),
            passkeys=Passkeys(
                database,
                clock_ms,
                log=log,
                challenges=challenges,
                endings=endings,
                community_name=community_name,
            ),
            key_login=KeyLogin(database, challenges, log, community),
            own_sessions=OwnSessions(database, clock_ms, log),
            log=log,
            endings=endings,
        )
