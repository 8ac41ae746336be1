"""Who is looking: one-time login links become sessions. Signing is something else (its own key).

A link's token works once; the session's token is 32 random bytes, kept here only as a hash, in
memory, and sent to the browser as an HttpOnly cookie or to a program as a bearer token.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import Problem, RequestRefused
from ledger.crypto.hashing import sha256

TOKEN_BYTES = 32
SESSION_LIFETIME_MS = 12 * 60 * 60 * 1000
LINK_LIFETIME_MS = 24 * 60 * 60 * 1000
SESSIONS_MAX = 10_000
LINKS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Viewer:
    """What a session may see: its own household, or everything as the community manager."""

    idgrid: str
    is_manager: bool = False
    is_oracle: bool = False
    """A member's oracle: reads devices their owners let the market read."""

    def may_see(self, idgrid: str) -> bool:
        """Whether accounts and readings of this household are shown."""
        return self.is_manager or idgrid == self.idgrid


@dataclass(frozen=True, slots=True)
class _Grant:
    viewer: Viewer
    expires_at_ms: int


class Sessions:
    """Links and sessions of this process; a restart signs everybody out."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._links: OrderedDict[bytes, _Grant] = OrderedDict()
        self._sessions: OrderedDict[bytes, _Grant] = OrderedDict()
        self._programs: dict[bytes, Viewer] = {}

    def add_link(self, token: str, viewer: Viewer) -> None:
        """Make a one-time link work; `token` was drawn by whoever prints the link."""
        self._remember(self._links, token, viewer, LINK_LIFETIME_MS, LINKS_MAX)

    def admit(self, token: str, viewer: Viewer) -> None:
        """Make a bearer token of the configuration work as long as this process runs."""
        self._programs[_digest(token)] = viewer

    def open(self, link_token: str) -> str:
        """Use a link up; returns the new session's token or refuses with LINK_INVALID."""
        grant = self._links.pop(_digest(link_token), None)
        if grant is None or grant.expires_at_ms <= self._clock_ms():
            raise RequestRefused(
                Problem.LINK_INVALID, "a login link works once and for a limited time"
            )
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._remember(self._sessions, token, grant.viewer, SESSION_LIFETIME_MS, SESSIONS_MAX)
        return token

    def viewer(self, session_token: str | None) -> Viewer | None:
        """Who holds this session, `None` without a live one."""
        if not session_token:
            return None
        digest = _digest(session_token)
        grant = self._sessions.get(digest)
        if grant is None or grant.expires_at_ms <= self._clock_ms():
            return self._programs.get(digest)
        return grant.viewer

    def close(self, session_token: str) -> None:
        """Sign out."""
        self._sessions.pop(_digest(session_token), None)

    def _remember(
        self,
        grants: OrderedDict[bytes, _Grant],
        token: str,
        viewer: Viewer,
        lifetime_ms: int,
        limit: int,
    ) -> None:
        grants[_digest(token)] = _Grant(viewer, self._clock_ms() + lifetime_ms)
        if len(grants) > limit:
            grants.popitem(last=False)


def _digest(token: str) -> bytes:
    return sha256(token.encode())
