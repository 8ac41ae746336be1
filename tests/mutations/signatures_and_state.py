"""Mistakes beside the protocol's rules, A21 and up: signatures, import of blocks, state."""

from tests.mutations.mutation import Mutation, Search, core
from tests.mutations.planting import Edit

_VOTING = "unit/consensus/test_voting.py"
_CODES = "unit/validation/test_codes.py"
_CONFLICTS = "unit/validation/test_conflicts.py"

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
        (core("proposal_rules:check_follows", "header.previous_hash != tip.block_hash", "False"),),
        test="unit/node/committing/test_committer.py::test_another_parent",
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
                "ledger.node.committing.committer:Committer.certified",
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
        test="unit/node/membership/test_channel_change.py::test_votes_are_judged_by_the_set_of_their_height",
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

SIGNATURES_AND_STATE = SIGNATURES_AND_IMPORT + STATE
