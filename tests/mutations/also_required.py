"""Mistakes beside the protocol's rules, A01 and up: memory, timers, disk, import, state."""

from tests.mutations.mutation import Mutation, Search, core
from tests.mutations.planting import Edit

_LIMITS = "unit/consensus/test_limits.py"
_VOTING = "unit/consensus/test_voting.py"
_RECOVERY = "unit/consensus/test_recovery.py"
_JOURNAL = "unit/storage/test_journal.py"
_STORE = "unit/storage/test_ledger_store.py"
_DRIVER = "unit/node/test_driver.py"
_CODES = "unit/validation/test_codes.py"
_CONFLICTS = "unit/validation/test_conflicts.py"

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
                "ledger.node.consensus_queue:ConsensusQueue.receive",
                "messages - taken_messages >= QUEUED_MESSAGES_PER_SENDER_MAX",
                "False",
            ),
        ),
        test="unit/node/test_consensus_queue.py::test_a_flood_displaces_nobody",
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
                "ledger.node.driver:ConsensusDriver._commit_fetched",
                "fetched.block.number != self._ports.committer.tip.height + 1",
                "False",
            ),
            Edit(
                "ledger.node.driver:ConsensusDriver._commit_fetched",
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
                "pairs = [*batch, (keyspace.BEFORE_TIP_KEY, replaced)]\n"
                "    self._kv.write(pairs[:1], sync=True)\n"
                "    self._kv.write(pairs[1:], sync=True)",
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

SIGNATURES_AND_IMPORT = (
    Mutation(
        "A21",
        "votes are signed without their domain (network, channel, genesis, validator set)",
        (core("messages:sign_bytes", "SIGN_BYTES_MARK + prefix + payload_raw", "payload_raw"),),
        test="unit/consensus/test_sign_bytes.py::test_the_same_vote_elsewhere_has_other_sign_bytes",
        like="Besu; charon 1923",
    ),
    Mutation(
        "A22",
        "a seal does not cover its round",
        (
            Edit(
                "ledger.ordering.seals:metadata_value",
                "round=round_",
                "round=0",
            ),
        ),
        test="unit/ordering/test_seals.py::test_seals_of_different_rounds_never_add_up",
    ),
    Mutation(
        "A23",
        "signatures with high S are accepted",
        (Edit("ledger.crypto.signing:verify_signature", "s > HALF_ORDER", "False"),),
        test="unit/crypto/test_signing.py::"
        "test_the_high_form_of_a_good_signature_is_refused_and_can_be_normalised",
        search=Search(("I13", "I8"), liars=True),
    ),
    Mutation(
        "A24",
        "one who is no validator votes",
        (
            core(
                "round_state:CoreState.may_vote",
                "self.settings.own_id in self.tip.validators",
                "True",
            ),
        ),
        test=f"{_VOTING}::test_an_observer_follows_without_a_word",
    ),
    Mutation(
        "A25",
        "votes of strangers are counted",
        (core("core:_receive", "author not in state.tip.validators", "False"),),
        test=f"{_VOTING}::test_votes_of_strangers_are_refused",
    ),
    Mutation(
        "A26",
        "a seal nobody verified is counted",
        (
            core(
                "upon_vote:decide",
                "tuple(commit for commit in commits if commit.seal_verified)",
                "commits",
            ),
        ),
        test=f"{_VOTING}::test_seals_that_come_before_the_block_are_verified_when_it_comes",
        search=Search(("I7",), liars=True),
    ),
    Mutation(
        "A27",
        "a fetched block's parent is not checked",
        (
            Edit(
                "ledger.node.committer:Committer.certified",
                "block.header.previous_hash != self._tip.block_hash",
                "False",
            ),
        ),
        test="unit/node/test_committer.py::test_another_parent",
    ),
    Mutation(
        "A28",
        "a fetched block's entries are not the sealed ones",
        (
            Edit(
                "ledger.ordering.seals:check_certificate",
                "block_data_hash(block.entries) != block.header.data_hash",
                "False",
            ),
            Edit(
                "ledger.node.committer:Committer.certified",
                "metadata.transactions_root != merkle_root(block.entries)",
                "False",
            ),
        ),
        test="unit/ordering/test_seals.py::test_what_a_seal_covers_cannot_be_changed",
        search=Search(("I1", "I7", "I8"), liars=True),
    ),
    Mutation(
        "A29",
        "a quorum that sealed another state stops nobody",
        (core("upon_vote:decide", "digest in now.divergent", "False"),),
        test=f"{_VOTING}::test_a_quorum_on_another_state_stops_the_node",
    ),
)

STATE = (
    Mutation(
        "A30",
        "what a block replaces stays in the state digest",
        (
            Edit(
                "ledger.validation.state_digest:digest_after",
                "removed=_removed(updates, state)",
                "removed=()",
            ),
        ),
        test="unit/validation/test_state_digest.py::test_values_written_changed_and_deleted",
    ),
    Mutation(
        "A31",
        "the state hash leaves the values out",
        (
            Edit(
                "ledger.validation.state_digest:value_element",
                "_sized(value.value)",
                '_sized(b"")',
            ),
        ),
        test="unit/validation/test_state_digest.py::"
        "test_any_other_outcome_gives_another_commitment",
    ),
    Mutation(
        "A32",
        "a transaction of an earlier block is valid again",
        (
            Edit(
                "ledger.validation.envelope_checks:check_new",
                "context.is_recorded(envelope.tx_id)",
                "False",
            ),
        ),
        test=f"{_CODES}::test_duplicate_txid_of_an_earlier_block",
        search=Search(("I8",)),
    ),
    Mutation(
        "A33",
        "two transactions of one id in a block are both valid",
        (
            Edit(
                "ledger.validation.block:_BlockRun.refuse_repeated_ids",
                "if tx_id in seen:",
                "if False:",
            ),
        ),
        test=f"{_CODES}::test_duplicate_txid_in_the_same_block_keeps_the_first",
        search=Search(("I8",), liars=True),
    ),
    Mutation(
        "A34",
        "two transactions of a block both spend what they read",
        (
            Edit(
                "ledger.validation.mvcc:_check_read",
                "(namespace, key) in earlier",
                "False",
            ),
        ),
        test=f"{_CONFLICTS}::test_the_first_of_two_that_read_and_write_a_key_wins",
        search=Search(("I8",)),
    ),
    Mutation(
        "A35",
        "a range that changed within the block is no conflict",
        (
            Edit(
                "ledger.validation.mvcc:_check_range",
                "changed = earlier.changed_between(namespace, query.start_key, end_key)",
                "changed = []",
            ),
        ),
        test=f"{_CONFLICTS}::"
        "test_a_change_in_the_range_in_an_earlier_block_or_earlier_in_the_block",
    ),
    Mutation(
        "A36",
        "only the invoked chaincode's policy is asked, whatever else is written",
        (
            Edit(
                "ledger.validation.endorsement_policies:EndorsementPolicies.check",
                "for name in sorted(required):",
                "for name in [invoked.namespace]:",
            ),
        ),
        test=f"{_CODES}::test_every_written_namespace_has_its_say",
    ),
    Mutation(
        "A37",
        "a forged endorsement counts",
        (
            Edit(
                "ledger.validation.endorsement_policies:EndorsementPolicies._signers",
                "if verify(*signed)",
                "if verify(*signed) or True",
            ),
        ),
        test=f"{_CODES}::test_a_forged_endorsement_counts_as_absent",
    ),
    Mutation(
        "A38",
        "votes are judged by the newest validator set, not by that of their height",
        (
            Edit(
                "ledger.ordering.consensus_verifier:ConsensusVerifier._epoch",
                "if height >= epoch.first_height:",
                "if True:",
            ),
        ),
        test="unit/node/test_channel_change.py::test_votes_are_judged_by_the_set_of_their_height",
        says="BAD_SIGNATURE",
    ),
    Mutation(
        "A39",
        "the state digest follows the order of a dictionary",
        (
            Edit(
                "ledger.validation.state_digest:_added",
                "yield value_element(state_key, value)",
                'yield b"%d" % list(updates.keys).index(state_key)'
                " + value_element(state_key, value)",
            ),
        ),
        test="unit/validation/test_state_digest.py::"
        "test_any_other_outcome_gives_another_commitment",
        like="many",
    ),
)

ALSO_REQUIRED = MEMORY + TIMERS_AND_HEIGHTS + DISK + SIGNATURES_AND_IMPORT + STATE
