"""Several shipped cores on one stage: the script decides which message reaches whom, and when.

Nothing is delivered unless the script says so. Validators are 1 to n; proposers of height 1 are
2, 3, 4, ... for rounds 0, 1, 2, ...
"""

from collections import defaultdict
from collections.abc import Iterable

from ledger.consensus import effects as fx
from ledger.consensus import events as ev
from ledger.consensus.core import Core
from ledger.consensus.messages import Message, ProposedBlock
from ledger.consensus.records import Record
from ledger.consensus.recovery import recover
from ledger.consensus.round_state import CoreSettings
from tests.scenarios.watch import Watch, two_thirds
from tests.support.unsigned_votes import NOW_MS, genesis_tip, make_block, sign, tip_after


class Consortium:
    """Cores, their journals, and everything they signed. The watch checks every step."""

    def __init__(
        self,
        validators: int = 4,
        byzantine: Iterable[int] = (),
        *,
        stops_at: Iterable[str] = ("I1", "I2", "I3", "I4"),
    ) -> None:
        """`stops_at`: the invariants that end the play at once; a fork is played to its end."""
        self.validators = tuple(range(1, validators + 1))
        self.byzantine = frozenset(byzantine)
        self.watch = Watch(self.validators, self.byzantine, stops_at=stops_at)
        self.tips = {v: genesis_tip(self.validators) for v in self.validators}
        self.journals: dict[int, list[Record]] = defaultdict(list)
        self.cores: dict[int, Core] = {}
        self.signed: list[Message] = []
        self.committed: dict[int, list[fx.CommitBlock]] = defaultdict(list)
        self.evidence: dict[int, list[fx.ReportEvidence]] = defaultdict(list)
        self.rejected: dict[int, list[fx.Reject]] = defaultdict(list)
        self.slow_disks: set[int] = set()
        """Validators whose decided block is not durable until `finish_import`."""
        for validator in self.validators:
            if validator not in self.byzantine:
                self.restart(validator)

    @property
    def honest(self) -> list[int]:
        return [v for v in self.validators if v not in self.byzantine]

    def restart(self, validator: int) -> None:
        """Lose the memory, keep journal and chain."""
        self.cores[validator] = Core(CoreSettings(own_id=validator))
        recovered = recover(self.journals[validator])
        self.tell(validator, ev.Started(self.tips[validator], recovered))

    def tell(self, validator: int, event: ev.Event) -> None:
        """One event for one core; its own signed messages come back to it at once."""
        pending = [event]
        while pending:
            for effect in self.cores[validator].step(pending.pop(0)):
                pending += self._perform(validator, effect)

    def _perform(self, validator: int, effect: fx.Effect) -> list[ev.Event]:
        match effect:
            case fx.Persist(record):
                self.journals[validator].append(record)
            case fx.SignAndSend(intent):
                message = sign(intent, validator)
                self.watch.on_signed(message)
                self.signed.append(message)
                return [ev.MessageReceived(message, NOW_MS)]
            case fx.RequestBlock(height, round_number):
                return [ev.BlockBuilt(height, round_number, self.block(validator))]
            case fx.CommitBlock(block):
                self.committed[validator].append(effect)
                self.watch.on_committed(validator, block.height, block.digest)
                self.tips[validator] = tip_after(self.tips[validator], block)
                if validator not in self.slow_disks:
                    return [ev.BlockCommitted(self.tips[validator])]
            case fx.ReportEvidence():
                self.evidence[validator].append(effect)
            case fx.Reject():
                self.rejected[validator].append(effect)
        return []

    def finish_import(self, validator: int) -> None:
        """The block that a slow disk kept busy is durable at last."""
        self.slow_disks.discard(validator)
        self.tell(validator, ev.BlockCommitted(self.tips[validator]))

    def fetch_block(self, validator: int, *, source: int) -> None:
        """Catch-up: another validator's last block, let in by its seals alone."""
        decision = self.committed[source][-1]
        signers = {commit.signed.author for commit in decision.commits}
        assert len(signers) >= two_thirds(len(self.validators))
        self.watch.on_committed(validator, decision.block.height, decision.block.digest)
        self.tips[validator] = tip_after(self.tips[validator], decision.block)
        self.tell(validator, ev.BlockCommitted(self.tips[validator]))

    def block(self, proposer: int, name: str = "") -> ProposedBlock:
        """A fresh block of a proposer, on the genesis tip."""
        return make_block(
            tip=genesis_tip(self.validators),
            proposer=proposer,
            entries=(name.encode() or b"by %d" % proposer,),
            block_time_ms=NOW_MS,
        )

    def transactions_wait(self, *validators: int) -> None:
        for validator in validators or self.honest:
            self.tell(validator, ev.TransactionsWaiting())

    def timeout(self, *validators: int) -> None:
        """The round timer of these validators fires."""
        for validator in validators:
            now = self.cores[validator].state.now
            self.tell(validator, ev.TimerExpired(ev.TimerKind.ROUND, now.height, now.round))

    def deliver(self, messages: Iterable[Message], to: Iterable[int]) -> None:
        for message in list(messages):
            for validator in to:
                if validator in self.cores and validator != message.signed.author:
                    self.tell(validator, ev.MessageReceived(message, NOW_MS))

    def of(self, kind: type[Message], author: int, round_number: int = 0) -> list[Message]:
        """What an author signed of a kind in a round."""
        return [
            m
            for m in self.signed
            if type(m) is kind
            and m.signed.author == author
            and m.signed.payload.round == round_number
        ]

    def deliver_everything(self) -> None:
        """Every honest message reaches everyone, until nobody has anything to say."""
        done = 0
        while done < len(self.signed):
            message = self.signed[done]
            done += 1
            self.deliver([message], self.honest)

    def round_of(self, validator: int) -> int:
        return self.cores[validator].state.now.round
