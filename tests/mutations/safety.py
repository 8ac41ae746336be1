"""Mistakes in the protocol that can break safety: M01 to M24."""

from tests.mutations.mutation import REFUSED, Mutation, Search, core
from tests.mutations.planting import Edit

_FORK = ("I1", "I2", "I4", "I7")
_PROPOSAL_RULES = "unit/consensus/test_proposal_rules.py"
_ROUND_CHANGES = "unit/consensus/test_round_change_rules.py"
_VOTING = "unit/consensus/test_voting.py"

GUARD_FORGETS = Edit(
    "ledger.storage.sign_guard:SignGuard.__init__",
    "for raw in journal.read_votes():",
    "for raw in ():",
)
"""The guard below the core would stop a validator that forgot; here it forgets as well."""

QUORUM_AND_LOCKS = (
    Mutation(
        "M01",
        "quorum 2f + 1, for n = 6 that is half of the validators",
        (core("quorum:quorum", "(2 * validators + 2) // 3", "2 * max_faulty(validators) + 1"),),
        test="unit/consensus/test_quorum.py::test_known_sizes",
        like="IBFT 1",
        search=Search(_FORK, validators=6),
    ),
    Mutation(
        "M02",
        "quorum n / 2 + 1",
        (core("quorum:quorum", "(2 * validators + 2) // 3", "validators // 2 + 1"),),
        test="unit/consensus/test_quorum.py::"
        "test_two_quorums_share_an_honest_validator_and_the_honest_ones_are_a_quorum",
        search=Search(_FORK, validators=7),
    ),
    Mutation(
        "M03",
        "lock lost on any jump",
        (
            core(
                "upon_proposal:_accept",
                "effects += enter_round(state, round_number)",
                "now.prepared, effects = None, enter_round(state, round_number)",
            ),
            core(
                "upon_round_change:_follow_the_others",
                "    return announce_round(",
                "    state.now.prepared = None\n    return announce_round(",
            ),
        ),
        test="unit/consensus/test_locks.py::test_through_a_jump_after_f_plus_one_others",
        search=Search((*_FORK, "I10"), liars=True),
    ),
    Mutation(
        "M03b",
        "lock lost on a jump to a proposal only",
        (
            core(
                "upon_proposal:_accept",
                "effects += enter_round(state, round_number)",
                "now.prepared, effects = None, enter_round(state, round_number)",
            ),
        ),
        test="scenarios/test_fork_lock_lost_on_jump.py::"
        "test_the_lock_travels_with_the_validator_and_the_fresh_block_is_refused",
        says="I1",
        search=Search((*_FORK, "I10"), liars=True),
    ),
    Mutation(
        "M04",
        "lock not persisted",
        (
            core(
                "recovery:_lock",
                "replace(safety, committed=True, prepared=lock)",
                "replace(safety, committed=True)",
            ),
            GUARD_FORGETS,
        ),
        test="unit/consensus/test_locks.py::test_through_a_restart",
        like="whoever stores no consensus state",
        search=Search((*_FORK, "I3")),
    ),
    Mutation(
        "M05",
        "votes not persisted",
        (
            core("recovery:recover", "for record in records:", "for record in ():"),
            GUARD_FORGETS,
        ),
        test="unit/consensus/test_recovery.py::"
        "test_a_prepare_is_repeated_and_never_given_to_another_block",
        like="Celo 396",
        search=Search((*_FORK, "I3")),
    ),
    Mutation(
        "M06",
        "round not persisted",
        (
            core(
                "recovery:_remember",
                "    if record.round < safety.round:",
                "    if isinstance(record, RoundAnnounced):\n        return safety\n"
                "    if record.round < safety.round:",
            ),
            GUARD_FORGETS,
        ),
        test="unit/consensus/test_recovery.py::"
        "test_a_round_change_is_repeated_and_the_round_is_kept",
        search=Search((*_FORK, "I3")),
    ),
)

JUSTIFICATION = (
    Mutation(
        "M07",
        "one author's ROUND-CHANGE counted twice in a justification",
        (
            core(
                "justification:check_certificate_authors",
                "if len(authors) != len(items):",
                'if len(authors) != len(items) and what == "prepares":',
            ),
        ),
        test=f"{_PROPOSAL_RULES}::test_the_same_author_fills_the_quorum_twice",
        like="go-ibft 50",
        search=Search((*_FORK, "I5"), liars=True),
    ),
    Mutation(
        "M08",
        "one author's PREPARE counted twice in the proof of a lock",
        (
            core(
                "justification:check_certificate_authors",
                "if len(authors) != len(items):",
                'if len(authors) != len(items) and what != "prepares":',
            ),
        ),
        test=f"{_PROPOSAL_RULES}::test_the_same_prepare_twice",
        like="Besu 1736",
        search=Search((*_FORK, "I5"), liars=True),
    ),
    Mutation(
        "M09",
        "round of the ROUND-CHANGEs in a justification not checked",
        (
            core(
                "justification:check_proposal_justification",
                "(signed.payload.height, signed.payload.round) != "
                "(proposal.height, proposal.round)",
                "signed.payload.height != proposal.height",
            ),
        ),
        test=f"{_PROPOSAL_RULES}::test_a_round_change_to_another_round_fills_the_quorum",
        like="go-ibft 51",
        search=Search((*_FORK, "I5"), liars=True),
    ),
    Mutation(
        "M10",
        "a lock may be of the round it moves to, or of a later one",
        (
            core(
                "justification:check_round_change_payload",
                "0 <= payload.prepared_round < payload.round",
                "0 <= payload.prepared_round",
            ),
        ),
        test=f"{_ROUND_CHANGES}::test_prepared_in_no_earlier_round",
        search=Search((*_FORK, "I5"), liars=True),
    ),
    Mutation(
        "M11",
        "round of the PREPAREs that prove a lock not checked",
        (
            core(
                "justification:check_prepares",
                "signed.payload != expected",
                "(signed.payload.height, signed.payload.digest) "
                "!= (expected.height, expected.digest)",
            ),
        ),
        test="scenarios/test_fork_prepares_of_another_round.py::"
        "test_a_proof_of_another_round_is_refused_and_the_decided_block_is_proposed_again",
        says="I1",
        search=Search((*_FORK, "I5"), liars=True),
    ),
    Mutation(
        "M12",
        "digest of the PREPAREs that prove a lock not checked",
        (
            core(
                "justification:check_prepares",
                "signed.payload != expected",
                "(signed.payload.height, signed.payload.round) "
                "!= (expected.height, expected.round)",
            ),
        ),
        test=f"{_ROUND_CHANGES}::test_a_claim_with_prepares_for_another_block",
        search=Search((*_FORK, "I5"), liars=True),
    ),
    Mutation(
        "M13",
        "a fresh block passes although one is prepared",
        (
            core(
                "justification:check_proposal_justification",
                "    prepared_round, digest = highest\n",
                "    if proposal.digest != highest[1]:\n        return None\n"
                "    prepared_round, digest = highest\n",
            ),
        ),
        test=f"{_PROPOSAL_RULES}::test_a_fresh_block_although_one_is_prepared",
        search=Search((*_FORK, "I5"), liars=True),
    ),
    Mutation(
        "M14",
        "any prepared block passes, not only that of the highest round",
        (core("justification:highest_prepared", "max(claims)", "min(claims)"),),
        test="scenarios/test_fork_lower_lock_chosen.py::test_the_lower_lock_is_refused",
        says="I1",
        like="go-ibft 52",
        search=Search((*_FORK, "I5"), liars=True),
    ),
    Mutation(
        "M15",
        "justification ignored",
        (
            core(
                "proposal_rules:check_proposal",
                "check_proposal_justification(message, validators=tip.validators) is None",
                "proposal.round == 0",
            ),
        ),
        test=f"{_PROPOSAL_RULES}::test_a_later_round_without_justification",
        search=Search((*_FORK, "I5"), liars=True),
    ),
    Mutation(
        "M16",
        "f + 1 ROUND-CHANGEs justify a round",
        (
            core(
                "justification:check_certificate_authors",
                "len(items) < quorum(len(validators))",
                'len(items) < (quorum(len(validators)) if what == "prepares"'
                " else (len(validators) - 1) // 3 + 1)",
            ),
            core(
                "upon_round_change:_propose_if_justified",
                "len(messages) < state.quorum",
                "len(messages) < state.weak_quorum",
            ),
        ),
        test=f"{_PROPOSAL_RULES}::test_one_round_change_less_than_a_quorum",
        search=Search((*_FORK, "I5"), liars=True),
    ),
    Mutation(
        "M22",
        "PREPAREs that prove a lock not required",
        (
            core(
                "justification:check_prepares",
                '    check_certificate_authors(prepares, validators, "prepares")\n',
                "    return\n",
            ),
        ),
        test="scenarios/test_fork_prepares_of_another_round.py::"
        "test_a_proof_of_another_round_is_refused_and_the_decided_block_is_proposed_again",
        says="I1",
        search=Search((*_FORK, "I5"), liars=True),
    ),
)

VOTES = (
    Mutation(
        "M17",
        "a second proposal of a round is accepted",
        (
            core(
                "upon_proposal:upon_proposal",
                "if earlier is not None and earlier.author == message.signed.author:",
                "if False:",
            ),
            core(
                "upon_proposal:upon_proposal",
                "now.accepted is not None:",
                "now.accepted is not None and now.accepted.digest == proposal.digest:",
            ),
        ),
        test=f"{_VOTING}::test_a_second_proposal_in_the_round_is_not_prepared",
        search=Search((*_FORK, "I3", "I17")),
    ),
    Mutation(
        "M18",
        "whose turn it is to propose is not checked",
        (core("proposal_rules:check_proposal", "if signed.author != expected:", "if False:"),),
        test=f"{_PROPOSAL_RULES}::test_someone_else_than_the_proposer_of_the_round_proposes",
        search=Search(("I6",), liars=True),
    ),
    Mutation(
        "M19",
        "COMMIT before a quorum prepared",
        (
            core(
                "upon_vote:progress",
                "len(prepares) >= state.quorum",
                "len(prepares) >= state.weak_quorum",
            ),
        ),
        test=f"{_VOTING}::test_no_commit_with_one_prepare_less_than_a_quorum",
        search=Search((*_FORK, REFUSED)),
    ),
    Mutation(
        "M20",
        "a round that was given up still gets a seal",
        (
            core(
                "upon_vote:upon_prepare",
                "    if not now.round <= round_number <= now.round + now.votes.window:\n"
                "        return []\n",
                "    if round_number > now.round + now.votes.window:\n"
                "        return []\n"
                "    if round_number < now.round:\n"
                "        now.votes.add_prepare(signed)\n"
                "        block = now.blocks.get(signed.payload.digest)\n"
                "        votes = now.votes.prepares(round_number, signed.payload.digest)\n"
                "        if block is None or len(votes) != state.quorum:\n"
                "            return []\n"
                "        return [SignAndSend(CommitIntent(round_number, block))]\n",
            ),
            core(
                "votes:VoteStore.forget_below",
                "self._prepares = {r: v for r, v in self._prepares.items() if r >= round_number}",
                "pass",
            ),
        ),
        test=f"{_VOTING}::test_after_a_round_change_an_accepted_proposal_gets_no_commit",
        search=Search((*_FORK, "I3")),
    ),
    Mutation(
        "M21",
        "seals of different rounds added up",
        (
            core(
                "upon_vote:decide",
                "commits = now.votes.commits(round_number, digest)",
                "commits = tuple({\n"
                "            commit.signed.author: commit\n"
                "            for any_round in now.votes.commit_rounds()\n"
                "            for commit in now.votes.commits(any_round, digest)\n"
                "        }.values())",
            ),
        ),
        test="scenarios/test_fork_seals_of_two_rounds.py::"
        "test_three_seals_of_two_rounds_decide_nothing",
        says="I1",
        search=Search(_FORK),
    ),
    Mutation(
        "M23",
        "own seal counted before the lock, and a round timer obeyed after the decision",
        (
            core(
                "upon_vote:decide",
                "        if len(commits) < state.quorum:",
                "        own = now.accepted is not None and now.accepted.digest == digest\n"
                "        early = int(own and state.may_vote and not now.commit_voted)\n"
                "        if len(commits) + early < state.quorum:",
            ),
            core(
                "upon_vote:decide",
                "len(verified) < state.quorum",
                "len(verified) + early < state.quorum",
            ),
            core(
                "upon_timer:upon_timer",
                "now.phase is not Phase.VOTING\n        or not now.timer_running\n        or ",
                "",
            ),
        ),
        test="scenarios/test_fork_seal_before_prepares.py::"
        "test_two_seals_and_an_unlocked_self_decide_nothing",
        says="I1",
        like="Besu 1734",
        search=Search(_FORK),
    ),
    Mutation(
        "M24",
        "one author's seal counted twice",
        (
            core(
                "votes:VoteStore.add_commit",
                "first = votes.setdefault(signed.author, message)",
                "first = votes.setdefault((signed.author, len(votes)), message)",
            ),
            core("votes:VoteStore.add_commit", "votes[signed.author] = message", "pass"),
            Edit(
                "ledger.ordering.seals:check_seals",
                "len(signers) < needed",
                "len(signed.signatures) < needed",
            ),
        ),
        test=f"{_VOTING}::test_the_same_commit_twice_counts_once",
        like="Besu 1736",
        search=Search(_FORK),
    ),
)

SAFETY = QUORUM_AND_LOCKS + JUSTIFICATION + VOTES
