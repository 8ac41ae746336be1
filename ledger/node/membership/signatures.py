"""Signature checks with a memory, off the event loop.

One transaction's signatures are met several times on one peer: the proposal at endorsement, the
transaction at submission, everything again at validation. A signature that was good for these
bytes and this certificate stays good, so it is checked once; whether the certificate is acceptable
(chain, revocation) is asked each time of the membership registry. Time plays no part here: who
takes a request from a client asks `Identity.check_validity`.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from ledger.crypto.hashing import sha256
from ledger.crypto.msp import MspRegistry
from ledger.crypto.signing import verify_signature
from ledger.errors import InvalidMessage
from ledger.rpc.coalescer import Coalescer, failure_of
from ledger.validation.context import SignatureChecker

REMEMBERED_SIGNATURES_MAX = 50_000
CHECKED_AT_ONCE_MAX = 2
"""So few signatures are checked on the event loop: a hop to a thread costs more than they do."""

Signed = tuple[bytes, bytes, bytes]
"""(SerializedIdentity, message, signature)"""

Pending = tuple[Signed, asyncio.Future[None]]


class SignatureVerifier:
    """Checks client and endorser signatures against the channel's membership."""

    def __init__(self, registry: Callable[[], MspRegistry], executor: Executor) -> None:
        """`registry` answers for the configuration in force."""
        self._registry = registry
        self._executor = executor
        # Insertion-ordered: the oldest are forgotten first.
        self._good: dict[tuple[bytes, bytes, bytes], None] = {}
        self._pending: Coalescer[Pending] = Coalescer(self._start_batch)

    @property
    def registry(self) -> MspRegistry:
        """Who is who in the configuration in force."""
        return self._registry()

    def remember(self, identity: bytes, message: bytes, signature: bytes) -> None:
        """Note a signature known to be good, such as one made by this process."""
        if len(self._good) >= REMEMBERED_SIGNATURES_MAX:
            for key in list(self._good)[: REMEMBERED_SIGNATURES_MAX // 10]:
                self._good.pop(key, None)
        self._good[(identity, signature, sha256(message))] = None

    def check(self, identity: bytes, message: bytes, signature: bytes) -> None:
        """Raise InvalidMessage unless `signature` is the identity's over `message`."""
        known = self.registry.identity(identity)
        if (identity, signature, sha256(message)) in self._good:
            return
        verify_signature(known.public_key, message, signature)
        # The registry's copy of the identity: one for all signatures of a member's client.
        self.remember(known.serialized, message, signature)

    def verify(self, identity: bytes, message: bytes, signature: bytes) -> bool:
        """Whether `check` passes (the form transaction validation asks for)."""
        try:
            self.check(identity, message, signature)
        except InvalidMessage:
            return False
        return True

    async def check_off_loop(self, identity: bytes, message: bytes, signature: bytes) -> None:
        """`check`, in a worker thread when the signature is not known yet."""
        if (identity, signature, sha256(message)) in self._good:
            self.registry.identity(identity)
            return
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.add(((identity, message, signature), outcome))
        await outcome

    def _start_batch(self, pending: list[Pending]) -> None:
        """Check everything asked for together: in one worker job, or here if it is little."""
        signed = [one for one, _ in pending]
        if len(signed) <= CHECKED_AT_ONCE_MAX:
            _settle(pending, self._check_all(signed))
            return
        job = asyncio.get_running_loop().run_in_executor(self._executor, self._check_all, signed)

        def finish(done: asyncio.Future[list[InvalidMessage | None]]) -> None:
            failure = failure_of(done)
            _settle(pending, [failure] * len(pending) if failure is not None else done.result())

        job.add_done_callback(finish)

    def _check_all(self, signed: list[Signed]) -> list[InvalidMessage | None]:
        return [self._error(*one) for one in signed]

    def _error(self, identity: bytes, message: bytes, signature: bytes) -> InvalidMessage | None:
        try:
            self.check(identity, message, signature)
        except InvalidMessage as error:
            return error
        return None


def _settle(pending: list[Pending], errors: Sequence[BaseException | None]) -> None:
    for (_, outcome), error in zip(pending, errors, strict=True):
        if outcome.done():
            continue
        if error is None:
            outcome.set_result(None)
        else:
            outcome.set_exception(error)


class SignaturesAt:
    """The form validation asks for: a certificate must also be valid at the block's time.

    The block time is signed by a quorum, so every peer judges alike whenever it validates.
    """

    def __init__(self, checker: SignatureChecker, registry: MspRegistry, at_ms: int) -> None:
        self._checker = checker
        self._registry = registry
        self._at_ms = at_ms

    def verify(self, identity: bytes, message: bytes, signature: bytes) -> bool:
        """`ledger.validation.context.SignatureChecker`."""
        try:
            self._registry.identity(identity).check_validity(self._at_ms)
        except InvalidMessage:
            return False
        return self._checker.verify(identity, message, signature)
