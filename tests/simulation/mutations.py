"""Known mistakes, planted one at a time, to prove that the simulator finds them.

Each is a mistake that a real implementation made. The shipped modules are patched only inside the
`with` block.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from ledger.consensus import (
    justification,
    round_state,
    upon_proposal,
    upon_round_change,
)
from ledger.consensus.effects import Effect
from ledger.consensus.quorum import weak_quorum
from ledger.consensus.round_state import CoreState
from ledger.node import vote_memory

Mutation = Callable[[ExitStack], None]


def _lock_lost_on_jump(stack: ExitStack) -> None:
    def enter_and_forget(state: CoreState, round_number: int) -> list[Effect]:
        state.now.prepared = None
        return round_state.enter_round(state, round_number)

    for module in (upon_proposal, upon_round_change):
        stack.enter_context(patch.object(module, "enter_round", enter_and_forget))


def _lock_lost_on_proposal_jump(stack: ExitStack) -> None:
    def enter_and_forget(state: CoreState, round_number: int) -> list[Effect]:
        state.now.prepared = None
        return round_state.enter_round(state, round_number)

    stack.enter_context(patch.object(upon_proposal, "enter_round", enter_and_forget))


def _votes_not_persisted(stack: ExitStack) -> None:
    stack.enter_context(patch.object(vote_memory, "recover", lambda _records: None))


def _quorum_is_f_plus_one(stack: ExitStack) -> None:
    for module in (round_state, justification):
        stack.enter_context(patch.object(module, "quorum", weak_quorum))


def _duplicate_authors_counted(stack: ExitStack) -> None:
    def only_the_number(items: tuple, validators: tuple, _what: str) -> None:
        if len(items) < justification.quorum(len(validators)):
            raise justification.InvalidMessage(justification.Reason.NOT_JUSTIFIED, "too few")

    stack.enter_context(patch.object(justification, "check_certificate_authors", only_the_number))


def _justification_ignored(stack: ExitStack) -> None:
    stack.enter_context(
        patch("ledger.consensus.proposal_rules.check_proposal_justification", lambda *_, **__: 0)
    )


MUTATIONS: dict[str, Mutation] = {
    "lock lost on any jump": _lock_lost_on_jump,
    "lock lost on proposal jump": _lock_lost_on_proposal_jump,
    "votes not persisted": _votes_not_persisted,
    "quorum is f + 1": _quorum_is_f_plus_one,
    "duplicate authors counted": _duplicate_authors_counted,
    "justification ignored": _justification_ignored,
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The shipped core with one mistake, for as long as the block lasts."""
    with ExitStack() as stack:
        MUTATIONS[name](stack)
        yield
