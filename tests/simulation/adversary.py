"""The place of a lying validator in a simulated network: hears, decides what to do, says it.

What it may do is drawn for each seed (`byzantine.behaviours`); all liars of a world share one
plan and one memory. It hears what others send before they hear it of one another.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger.consensus.messages import (
    CommitMessage,
    Message,
    PrepareMessage,
    ProposalMessage,
    RoundChangeMessage,
)
from ledger.wire.validator_pb2 import Item
from tests.simulation.byzantine import (
    catch_up,
    echoes,
    proposals,
    round_changes,
    votes,
)
from tests.simulation.byzantine.behaviours import Behaviour
from tests.simulation.byzantine.liar import Conspiracy, Liar, Strategy

if TYPE_CHECKING:
    from tests.simulation.world import World

ACTS_PER_MESSAGE = 0.3
"""Chance that a consensus message makes a liar do something."""
ON_OCCASION = 0.7
"""Share of acts that answer to what was just heard."""
TRIES = 3
QUIET_MS_MAX = 6_000


def silent(liar: Liar) -> bool:
    """B1: says nothing for a while, but listens."""
    liar.quiet_until_ms = liar.world.now_ms + liar.rng.randint(1, QUIET_MS_MAX)
    liar.conspiracy.hits[Behaviour.SILENT] += 1
    return True


def crash(liar: Liar) -> bool:
    """B2: dies in the middle of what it does and has forgotten what it kept back."""
    liar.withheld.clear()
    liar.memory.captured.clear()
    liar.quiet_until_ms = liar.world.now_ms + liar.rng.randint(1, QUIET_MS_MAX)
    liar.conspiracy.hits[Behaviour.CRASH] += 1
    return True


STRATEGIES: Mapping[Behaviour, Strategy] = {
    Behaviour.SILENT: silent,
    Behaviour.CRASH: crash,
    Behaviour.TWO_PROPOSALS: proposals.two_proposals,
    Behaviour.PROPOSAL_TO_SOME: proposals.proposal_to_some,
    Behaviour.DOUBLE_VOTE: votes.double_vote,
    Behaviour.VOTE_TO_SOME: votes.vote_to_some,
    Behaviour.VOTE_ELSEWHERE: votes.vote_elsewhere,
    Behaviour.EARLY_COMMIT: votes.early_commit,
    Behaviour.HIDDEN_LOCK: round_changes.hidden_lock,
    Behaviour.FALSE_LOCK: round_changes.false_lock,
    Behaviour.WEAKEST_JUSTIFICATION: proposals.weakest_justification,
    Behaviour.LOWER_CERTIFICATE: proposals.lower_certificate,
    Behaviour.BROKEN_JUSTIFICATION: proposals.broken_justification,
    Behaviour.WRONG_PROPOSER: proposals.wrong_proposer,
    Behaviour.BAD_BLOCK: proposals.bad_block,
    Behaviour.REPLAY: echoes.replay,
    Behaviour.WITHHELD_COMMITS: votes.withheld_commits,
    Behaviour.BAD_SEALS: catch_up.tempt_to_seals,
    Behaviour.HUGE_ROUND: votes.huge_round,
    Behaviour.FLOOD: votes.flood,
    Behaviour.SYNC_LIE: catch_up.tempt,
    Behaviour.MALLEATED: echoes.malleated,
    Behaviour.MUTATION: echoes.mutation,
}


OCCASIONS: Mapping[type[Message], tuple[Behaviour, ...]] = {
    ProposalMessage: (
        Behaviour.DOUBLE_VOTE,
        Behaviour.VOTE_TO_SOME,
        Behaviour.EARLY_COMMIT,
        Behaviour.WITHHELD_COMMITS,
    ),
    PrepareMessage: (Behaviour.VOTE_TO_SOME, Behaviour.DOUBLE_VOTE, Behaviour.WITHHELD_COMMITS),
    CommitMessage: (Behaviour.VOTE_TO_SOME, Behaviour.WITHHELD_COMMITS, Behaviour.HIDDEN_LOCK),
    RoundChangeMessage: (
        Behaviour.TWO_PROPOSALS,
        Behaviour.PROPOSAL_TO_SOME,
        Behaviour.HIDDEN_LOCK,
        Behaviour.FALSE_LOCK,
        Behaviour.WEAKEST_JUSTIFICATION,
        Behaviour.LOWER_CERTIFICATE,
        Behaviour.BROKEN_JUSTIFICATION,
        Behaviour.BAD_BLOCK,
    ),
}
"""What a message is an occasion for; whatever else is planned may happen at any time."""


class Adversary(Liar):
    """A place in the network (`world.Place`) that is no node."""

    def __init__(self, *, world: "World", slot: int, identity: int) -> None:
        accomplices = [place for place in world.places if isinstance(place, Adversary)]
        conspiracy = accomplices[0].conspiracy if accomplices else Conspiracy(world)
        super().__init__(conspiracy, identity, slot)

    def start(self) -> None:
        self.alive = True

    def work(self, act: Callable[..., None], *arguments: Any) -> None:
        act(*arguments)

    def on_connected(self, consenter_id: int) -> None:
        """Nothing to say."""

    def submit(self, raw: bytes) -> None:
        """A client's transaction: kept for its own blocks, told to nobody."""
        self.memory.transactions[raw] = None
        self.act()

    def receive(self, item: Item, sender: int) -> None:
        kind = item.WhichOneof("kind")
        if kind == "block_request":
            catch_up.answer(self, sender, item.block_request)
            return
        message = self.hear(item)
        if sender in self.world.byzantine:  # liars that answer one another never end
            return
        if message is not None and self.rng.random() < ACTS_PER_MESSAGE:
            occasion = self.rng.random() < ON_OCCASION
            self.act(OCCASIONS[type(message)] if occasion else ())

    def act(self, occasion: Sequence[Behaviour] = ()) -> None:
        """One thing of the plan that can be done now, of those named if there is any."""
        if self.world.now_ms < self.quiet_until_ms or not self.conspiracy.knows_anything:
            return
        plan = self.conspiracy.behaviours
        weights = {b: plan[b] for b in occasion if b in plan} or plan
        for behaviour in self.rng.choices(list(weights), list(weights.values()), k=TRIES):
            if STRATEGIES[behaviour](self):
                return
