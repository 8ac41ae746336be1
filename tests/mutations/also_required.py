"""Mistakes beside the protocol's rules, A01 and up: memory, timers, disk."""

from tests.mutations.mutation import Mutation, Search, core
from tests.mutations.planting import Edit

_LIMITS = "unit/consensus/test_limits.py"
_VOTING = "unit/consensus/test_voting.py"
_RECOVERY = "unit/consensus/test_recovery.py"
_JOURNAL = "unit/storage/test_journal.py"
_STORE = "unit/storage/test_ledger_store.py"
_DRIVER = "unit/node/consensus/test_driver.py"

MEMORY = (
    Mutation(
        "A01",
        "messages of any height ahead are kept",
        (
            core(
                "future_messages:FutureMessages.keep",
                "early.height > current_height + FUTURE_HEIGHTS",
                "False",
            ),
        ),
        test=f"{_LIMITS}::test_heights_far_ahead_are_not_kept",
        search=Search(("I12",), liars=True),
    ),
    Mutation(
        "A02",
        "one author's messages of future heights kept without bound",
        (
            core(
                "future_messages:FutureMessages.keep",
                "len(of_author) >= FUTURE_MESSAGES_PER_AUTHOR",
                "False",
            ),
        ),
        test=f"{_LIMITS}::test_a_future_height_keeps_a_quota_for_each_author",
        like="Besu",
        search=Search(("I12",), liars=True),
    ),
    Mutation(
        "A03",
        "one peer may fill the queue of all",
        (
            Edit(
                "ledger.node.consensus.consensus_queue:ConsensusQueue.receive",
                "messages - taken_messages >= QUEUED_MESSAGES_PER_SENDER_MAX",
                "False",
            ),
        ),
        test="unit/node/consensus/test_consensus_queue.py::test_a_flood_displaces_nobody",
    ),
    Mutation(
        "A04",
        "votes kept for any round ahead",
        (
            core(
                "upon_vote:upon_prepare",
                "now.round <= round_number <= now.round + now.votes.window",
                "now.round <= round_number",
            ),
        ),
        test=f"{_LIMITS}::test_votes_far_ahead_of_the_round_are_not_kept",
        like="Besu, GHSA-23rh-rrqg-wq82",
        search=Search(("I12",), liars=True),
    ),
    Mutation(
        "A05",
        "rounds without bound",
        (
            core(
                "justification:check_round_change_payload",
                "1 <= payload.round <= MAX_ROUND",
                "1 <= payload.round",
            ),
        ),
        test="unit/consensus/test_round_change_rules.py::test_a_round_out_of_bounds",
        like="Besu 11102",
        search=Search(("I12", "I15"), liars=True),
    ),
)

TIMERS_AND_HEIGHTS = (
    Mutation(
        "A06",
        "a timer of an old height is obeyed",
        (
            core(
                "upon_timer:upon_timer",
                "(event.height, event.round) != (now.height, now.round)",
                "event.round != now.round",
            ),
        ),
        test=f"{_LIMITS}::test_a_timer_of_an_earlier_round_or_height_is_ignored",
        like="Besu 1575, 10052",
    ),
    Mutation(
        "A07",
        "votes are still cast while the decided block is written to disk",
        (
            core(
                "core:_receive",
                "    if state.now.phase is Phase.COMMITTING:\n        return []\n",
                "",
            ),
        ),
        test=f"{_VOTING}::test_while_a_block_is_committed_no_later_round_is_joined",
        like="Besu 1734",
    ),
    Mutation(
        "A08",
        "the new height is decided by the validator set of the old one",
        (
            core(
                "core:_upon_block_committed",
                "    state.tip = tip\n",
                "    state.tip = __import__('dataclasses').replace(\n"
                "        tip, validators=state.tip.validators\n    )\n",
            ),
        ),
        test="scenarios/test_changed_validators.py::"
        "test_a_new_validator_is_heard_from_the_next_height_on",
    ),
    Mutation(
        "A09",
        "catch-up commits a block that consensus has committed",
        (
            Edit(
                "ledger.node.consensus.driver:ConsensusDriver._commit_fetched",
                "fetched.block.number != self._ports.committer.tip.height + 1",
                "False",
            ),
            Edit(
                "ledger.node.consensus.driver:ConsensusDriver._commit_fetched",
                "self._ports.committer.certified(fetched.block)",
                "fetched.block",
            ),
        ),
        test=f"{_DRIVER}::test_fetched_blocks_are_committed_in_order",
        says="does not follow",
        like="Fabric 5076",
    ),
    Mutation(
        "A10",
        "a block proposed again is judged by the wall clock",
        (
            core(
                "proposal_rules:check_proposal",
                "    check_block(message.block, tip)\n",
                "    check_block(message.block, tip)\n"
                "    if message.block.metadata.block_time_ms - now_ms > max_clock_skew_ms:\n"
                "        raise InvalidMessage(Reason.TIMESTAMP_OUT_OF_WINDOW, 'ahead')\n",
            ),
        ),
        test="unit/consensus/test_proposal_rules.py::"
        "test_a_prepared_block_is_proposed_again_with_its_first_author_and_time",
        like="indy-plenum 1488",
        search=Search(("I14",), profile="liveness"),
    ),
    Mutation(
        "A11",
        "a timeout doubles without end",
        (
            core(
                "timeouts:round_timeout_ms",
                "min(base_timeout_ms << doublings, max_timeout_ms)",
                "base_timeout_ms << min(round_number, 64)",
            ),
        ),
        test="unit/consensus/test_quorum.py::test_timeouts_double_six_times_and_end_at_a_minute",
        like="quorum 1664",
        search=Search(("I14",), profile="liveness"),
    ),
)

DISK = (
    Mutation(
        "A12",
        "a vote is sent before it is on disk",
        (
            Edit(
                "ledger.storage.sign_guard:SignGuard.sign_once",
                "self._journal.append_vote(_encode(slot, vote), sync=sync)",
                "self._journal.append_vote(_encode(slot, vote), sync=False)",
            ),
        ),
        test=f"{_DRIVER}::test_every_vote_is_on_disk_before_it_leaves",
        like="indy-plenum",
        search=Search(("I3", "I11"), profile="disk"),
    ),
    Mutation(
        "A13",
        "a block is acknowledged before it is synced",
        (
            Edit(
                "ledger.storage.ledger_store:LedgerStore.commit",
                "sync=True",
                "sync=False",
            ),
        ),
        test=f"{_STORE}::test_a_block_is_one_synced_write",
        like="BigchainDB, indy-plenum",
        search=Search(("I9", "I11"), profile="disk"),
    ),
    Mutation(
        "A14",
        "block and state are written one after the other",
        (
            Edit(
                "ledger.storage.ledger_store:LedgerStore.commit",
                "self._kv.write([*batch, (keyspace.BEFORE_TIP_KEY, replaced)], sync=True)",
                "pairs = [*batch, (keyspace.BEFORE_TIP_KEY, replaced)]; "
                "self._kv.write(pairs[:1], sync=True); "
                "self._kv.write(pairs[1:], sync=True)",
            ),
        ),
        test=f"{_STORE}::test_a_block_is_one_synced_write",
        like="BigchainDB BEP-8",
        search=Search(("I8", "I9", "I17"), profile="disk"),
    ),
    Mutation(
        "A15",
        "damage in the middle of the journal is cut off like a torn end",
        (
            Edit(
                "ledger.storage.frame_log:_scan",
                "if _is_torn(content, offset):",
                "if True:",
            ),
        ),
        test=f"{_JOURNAL}::test_flipping_any_bit_is_damage_and_named",
    ),
    Mutation(
        "A16",
        "after a failed fsync the journal goes on",
        (
            Edit(
                "ledger.storage.frame_log:FrameLog._fail",
                "self._usable = False",
                "pass",
            ),
        ),
        test=f"{_JOURNAL}::"
        "test_after_a_failed_write_the_journal_refuses_and_keeps_what_was_durable",
        like="PostgreSQL fsync, 2018",
    ),
    Mutation(
        "A17",
        "the sign guard signs whatever the core asks for",
        (
            Edit(
                "ledger.storage.sign_guard:SignGuard.sign_once",
                "if known is not None:",
                "if known is not None and known.digest == digest:",
            ),
        ),
        test=f"{_JOURNAL}::test_a_second_vote_for_a_slot_is_refused_even_after_a_restart",
    ),
    Mutation(
        "A18",
        "the sign guard forgets which round it has reached",
        (
            Edit(
                "ledger.storage.sign_guard:SignGuard._require_progress",
                "(height, round_) < self._newest",
                "False",
            ),
        ),
        test=f"{_JOURNAL}::test_going_back_is_refused",
    ),
    Mutation(
        "A19",
        "a validator without memory of its votes votes at once",
        (
            core(
                "round_state:CoreState.may_vote",
                "self.paused or height < self.vote_from_height",
                "self.paused",
            ),
        ),
        test=f"{_RECOVERY}::test_in_quarantine_a_node_follows_without_voting",
        search=Search(("I3",), profile="disk"),
    ),
    Mutation(
        "A20",
        "a journal ahead of its ledger is not waited for",
        (
            core(
                "round_state:CoreState.may_vote",
                "self.recovered is not None and self.recovered.height > height",
                "False",
            ),
        ),
        test=f"{_RECOVERY}::"
        "test_a_journal_ahead_of_the_chain_silences_the_node_until_the_chain_is_back",
    ),
)

ALSO_REQUIRED = MEMORY + TIMERS_AND_HEIGHTS + DISK
