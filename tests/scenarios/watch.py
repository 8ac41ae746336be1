"""What must hold after every move of a story, counted from outside and not by the core's code.

The numbers are those of the simulator's invariants: I1 agreement, I2 one certificate per height,
I3 no equivocation across restarts, I4 lock safety.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from ledger.consensus.messages import CommitMessage, Message, PrepareMessage, RoundChangeMessage


class Violation(AssertionError):  # noqa: N818
    """An invariant does not hold; the text starts with its number."""


def two_thirds(n: int) -> int:
    """ceil(2n/3), spelled otherwise than in the core."""
    return n - n // 3


class Watch:
    """Sees everything that honest validators sign and commit."""

    def __init__(
        self,
        validators: tuple[int, ...],
        byzantine: frozenset[int],
        *,
        stops_at: Iterable[str] = ("I1", "I2", "I3", "I4"),
    ) -> None:
        """Raises `Violation` for the invariants in `stops_at` and only notes the others."""
        self.broken: list[str] = []
        self._stops_at = frozenset(stops_at)
        self._needed = two_thirds(len(validators)) - len(byzantine)
        """Honest seals that make a certificate: every liar adds its own to anything."""
        self._byzantine = byzantine
        self._signed: dict[tuple[int, int, int, str], object] = {}
        self._announced: dict[tuple[int, int], int] = {}
        self._seals: defaultdict[tuple[int, int, bytes], set[int]] = defaultdict(set)
        self._prepared: defaultdict[int, set[tuple[int, bytes]]] = defaultdict(set)
        self._chain: dict[int, bytes] = {}

    def on_signed(self, message: Message) -> None:
        """A validator signed this; it may or may not reach anyone."""
        signed, payload = message.signed, message.signed.payload
        if signed.author in self._byzantine:
            return
        self._check_equivocation(message)
        if isinstance(message, PrepareMessage):
            self._prepared[payload.height].add((payload.round, message.signed.payload.digest))
        elif isinstance(message, CommitMessage):
            seal = (payload.height, payload.round, message.signed.payload.digest)
            self._seals[seal].add(signed.author)
        self._check_certificates(payload.height)

    def on_committed(self, validator: int, height: int, digest: bytes) -> None:
        """A validator made a block durable."""
        if self._chain.setdefault(height, digest) != digest:
            self._break(f"I1: {validator} committed another block at height {height}")

    def _break(self, what: str) -> None:
        self.broken.append(what)
        if what.split(":", maxsplit=1)[0] in self._stops_at:
            raise Violation(what)

    def _check_equivocation(self, message: Message) -> None:
        signed = message.signed
        author, height, round_number = signed.author, signed.payload.height, signed.payload.round
        kind = type(signed.payload).__name__
        if isinstance(message, RoundChangeMessage):
            claim = message.signed.payload
            content: object = (claim.prepared_round, claim.prepared_digest)
        else:
            content = message.signed.payload.digest
        if self._signed.setdefault((author, height, round_number, kind), content) != content:
            self._break(f"I3: {author} signed two {kind}s at {height}/{round_number}")
        floor = self._announced.get((author, height), 0)
        if round_number < floor:
            self._break(f"I3: {author} signed {kind} at {height}/{round_number} below {floor}")
        if isinstance(message, RoundChangeMessage):
            self._announced[author, height] = round_number

    def _certificates(self, height: int) -> Iterator[tuple[int, bytes]]:
        """(round, digest) of what can be certified, with the liars' help."""
        for (sealed_height, round_number, digest), authors in self._seals.items():
            if sealed_height == height and len(authors) >= self._needed:
                yield round_number, digest

    def _check_certificates(self, height: int) -> None:
        certificates = list(self._certificates(height))
        if len({digest for _, digest in certificates}) > 1:
            self._break(f"I2: two blocks can be certified at height {height}")
        for sealed_round, sealed in certificates:
            for prepared_round, digest in self._prepared[height]:
                if prepared_round > sealed_round and digest != sealed:
                    self._break(
                        f"I4: another block prepared at {height}/{prepared_round} although one "
                        f"can be certified in round {sealed_round}"
                    )
