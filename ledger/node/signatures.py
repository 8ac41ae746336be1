"""Signature checks with a memory, off the event loop.

One transaction's signatures are met several times on one peer: the proposal at endorsement, the
transaction at submission, everything again at validation. A signature that was good for these
bytes and this certificate stays good, so it is checked once; whether the certificate is still
acceptable (expiry, revocation) is asked each time of the membership registry.
"""

import asyncio
from collections.abc import Iterable
from concurrent.futures import Executor

from ledger.crypto.hashing import sha256
from ledger.crypto.msp import MspRegistry
from ledger.crypto.signing import verify_signature
from ledger.errors import InvalidMessage

REMEMBERED_SIGNATURES_MAX = 50_000
# Below this many unknown signatures a hop to another thread costs more than the checks.
INLINE_CHECKS_MAX = 1

Signed = tuple[bytes, bytes, bytes]
"""(SerializedIdentity, message, signature)"""


class SignatureVerifier:
    """Checks client and endorser signatures against the channel's membership."""

    def __init__(self, registry: MspRegistry, executor: Executor) -> None:
        self._registry = registry
        self._executor = executor
        # Insertion-ordered: the oldest are forgotten first.
        self._good: dict[tuple[bytes, bytes, bytes], None] = {}

    @property
    def registry(self) -> MspRegistry:
        """Who is who in the configuration in force."""
        return self._registry

    def remember(self, identity: bytes, message: bytes, signature: bytes) -> None:
        """Note a signature known to be good, such as one made by this process."""
        if len(self._good) >= REMEMBERED_SIGNATURES_MAX:
            for key in list(self._good)[: REMEMBERED_SIGNATURES_MAX // 10]:
                self._good.pop(key, None)
        self._good[(identity, signature, sha256(message))] = None

    def check(self, identity: bytes, message: bytes, signature: bytes) -> None:
        """Raise InvalidMessage unless `signature` is the identity's over `message`."""
        known = self._registry.identity(identity)
        if (identity, signature, sha256(message)) in self._good:
            return
        verify_signature(known.public_key, message, signature)
        self.remember(identity, message, signature)

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
            self._registry.identity(identity)
            return
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self.check, identity, message, signature)

    async def warm_up(self, signed: Iterable[Signed]) -> None:
        """Check many signatures in a worker thread so that validation finds them known.

        A bad signature is simply not remembered: validation meets it again and records why.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._verify_all, list(signed))

    def _verify_all(self, signed: list[Signed]) -> None:
        for identity, message, signature in signed:
            self.verify(identity, message, signature)
