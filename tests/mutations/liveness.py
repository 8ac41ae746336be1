"""Mistakes that stop or slow a ledger: L1 to L9 (L2, a small linear timeout, is none)."""

from tests.mutations.mutation import REFUSED, Mutation, Search, core
from tests.mutations.planting import Edit

_STALL = ("I14", "I15")
_ROUND_CHANGES = "unit/consensus/test_round_change_rules.py"

LIVENESS = (
    Mutation(
        "L1",
        "the timeout does not grow with the round",
        (
            core(
                "timeouts:round_timeout_ms",
                "doublings = min(round_number, MAX_TIMEOUT_DOUBLINGS)",
                "base_timeout_ms, doublings = base_timeout_ms * 3 // 8, 0",
            ),
        ),
        test="unit/consensus/test_quorum.py::test_timeouts_double_six_times_and_end_at_a_minute",
        search=Search(_STALL, profile="liveness"),
    ),
    Mutation(
        "L3",
        "votes that come before their proposal are dropped",
        (
            core(
                "upon_vote:upon_prepare",
                "    conflicting = ",
                "    if now.accepted is None:\n        return []\n    conflicting = ",
            ),
            core(
                "upon_vote:upon_commit",
                "    conflicting = ",
                "    if now.accepted is None:\n        return []\n    conflicting = ",
            ),
        ),
        test="unit/consensus/test_voting.py::test_votes_that_come_before_the_proposal_are_kept",
        search=Search(_STALL, profile="liveness"),
    ),
    Mutation(
        "L4",
        "a single ROUND-CHANGE moves a validator",
        (
            core(
                "upon_round_change:_follow_the_others",
                "len(above) < state.weak_quorum",
                "not above",
            ),
            core(
                "upon_round_change:_follow_the_others",
                "above[state.weak_quorum - 1]",
                "above[0]",
            ),
        ),
        test=f"{_ROUND_CHANGES}::test_one_validator_alone_moves_nobody",
        search=Search(_STALL, profile="liveness"),
    ),
    Mutation(
        "L5",
        "after a jump to a proposal the timer of the old round runs on",
        (
            core(
                "upon_proposal:_accept",
                "effects += enter_round(state, round_number)",
                "enter_round(state, round_number)",
            ),
            core(
                "upon_timer:upon_timer",
                "(event.height, event.round) != (now.height, now.round)",
                "event.height != now.height",
            ),
        ),
        test="unit/consensus/test_limits.py::test_a_jump_starts_the_timers_of_the_new_round",
        search=Search(_STALL, profile="liveness"),
    ),
    Mutation(
        "L6",
        "nobody asks for blocks it missed",
        (
            core("catching_up:ask_those_ahead", "    now = state.now\n", "    return []\n"),
            core("upon_vote:_fetch_unknown_block", "    now = state.now\n", "    return []\n"),
            Edit(
                "ledger.node.following.catch_up:CatchUp._next_source",
                "> height]",
                "> height + 10**9]",
            ),
        ),
        test="unit/consensus/test_limits.py::"
        "test_a_vote_two_heights_ahead_asks_its_author_for_blocks_once",
        search=Search(_STALL, profile="liveness"),
    ),
    Mutation(
        "L7",
        "no jump after f + 1 others",
        (
            core(
                "upon_round_change:_follow_the_others",
                "len(above) < state.weak_quorum",
                "True",
            ),
        ),
        test=f"{_ROUND_CHANGES}::"
        "test_f_plus_one_validators_pull_a_third_to_the_lower_of_their_rounds",
        search=Search(_STALL, profile="liveness"),
        like="Besu's default; Celo 706",
    ),
    Mutation(
        "L8",
        "a block proposed again is refused, because another proposed it first",
        (
            core(
                "proposal_rules:check_proposal",
                "if check_proposal_justification(message, validators=tip.validators) is None:",
                "check_proposal_justification(message, validators=tip.validators)\n    if True:",
            ),
        ),
        test="unit/consensus/test_proposal_rules.py::"
        "test_a_prepared_block_is_proposed_again_with_its_first_author_and_time",
        like="Besu 6613",
        search=Search((*_STALL, REFUSED), profile="liveness"),
    ),
    Mutation(
        "L9",
        "a locked validator refuses a justified proposal of another block",
        (
            core(
                "upon_proposal:upon_proposal",
                "    check_proposal(\n",
                "    lock = now.prepared\n"
                "    if lock is not None and lock.block.digest != proposal.digest:\n"
                "        return []\n"
                "    check_proposal(\n",
            ),
        ),
        test="unit/consensus/test_voting.py::"
        "test_a_justified_proposal_is_prepared_against_the_own_lock",
        like="IBFT 1",
        search=Search(_STALL, profile="liveness"),
    ),
)
