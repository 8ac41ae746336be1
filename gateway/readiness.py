"""Whether this gateway can serve, for load balancers and whatever watches over containers.

Strangers may ask, as often as they like: what was found is told again for a while, one question is
under way at a time, and a refusal names no address and no error of the machine.
"""

import asyncio
from dataclasses import dataclass

from gateway.database import DatabaseUnavailable
from gateway.errors import LedgerRefusal, Problem, RequestRefused
from gateway.ports import Ledger
from gateway.readmodel.queries import ReadModel

LAG_BLOCKS_MAX = 20
"""Further behind, the gateway shows a market that others have left."""
ANSWER_MS_MAX = 2_000
"""For the database, then for a peer."""
HELD_MS = 1_000
"""How long an answer is given again."""
RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True)
class Ready:
    """The database and a peer answer, and the read model has nearly all blocks of that peer."""

    height: int
    """Blocks of the read model."""
    peer_height: int
    """Blocks the peer says that it has; nothing of it is checked here."""
    blocks_behind: int
    blocks_behind_max: int = LAG_BLOCKS_MAX


@dataclass(frozen=True, slots=True)
class Unready:
    """What does not answer or is too far behind."""

    problem: Problem
    detail: str


class Readiness:
    """Asks the gateway's own database and peers."""

    def __init__(
        self,
        ledger: Ledger,
        readmodel: ReadModel,
        *,
        held_ms: int = HELD_MS,
        database_ms_max: int = ANSWER_MS_MAX,
        peer_ms_max: int = ANSWER_MS_MAX,
    ) -> None:
        self._ledger = ledger
        self._readmodel = readmodel
        self._held_s = held_ms / 1_000
        self._database_s_max = database_ms_max / 1_000
        self._peer_s_max = peer_ms_max / 1_000
        self._asking: asyncio.Task[Ready | Unready] | None = None
        self._asked_at_s = 0.0
        self._reading: asyncio.Task[int | None] | None = None

    async def find(self) -> Ready:
        """What was found now or a moment ago; `RequestRefused` with status 503 if not ready."""
        now_s = asyncio.get_running_loop().time()
        asking = self._asking
        if asking is None or (asking.done() and now_s - self._asked_at_s >= self._held_s):
            asking = self._asking = asyncio.create_task(self._ask())
            self._asked_at_s = now_s
        found = await asyncio.shield(asking)
        if isinstance(found, Ready):
            return found
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        raise RequestRefused(found.problem, found.detail, headers=headers)

    async def _ask(self) -> Ready | Unready:
        height = await self._own_height()
        if height is None:
            return Unready(Problem.DATABASE_UNAVAILABLE, "the database does not answer")
        try:
            async with asyncio.timeout(self._peer_s_max):
                peer_height = await self._ledger.height()
        except (LedgerRefusal, TimeoutError):
            return Unready(Problem.LEDGER_UNAVAILABLE, "no peer answers")
        behind = max(peer_height - height, 0)
        if behind > LAG_BLOCKS_MAX:
            detail = f"{behind} blocks behind its peer; at most {LAG_BLOCKS_MAX} are allowed"
            return Unready(Problem.CATCHING_UP, detail)
        return Ready(height, peer_height, behind)

    async def _own_height(self) -> int | None:
        """None if the database does not answer in time; a question that hangs is not repeated."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(self._read_height))
        done, _ = await asyncio.wait((self._reading,), timeout=self._database_s_max)
        return self._reading.result() if done else None

    def _read_height(self) -> int | None:
        try:
            return self._readmodel.height
        except DatabaseUnavailable:
            return None
