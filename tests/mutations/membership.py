"""Mistakes in who may vote and who may change that: V01 and up."""

from tests.mutations.mutation import Mutation, Search, core
from tests.mutations.planting import Edit

_CHANGE = "unit/node/membership/test_channel_change.py"
_QUARANTINE = "durability/test_quarantine.py"
_MEMORY = "ledger.node.consensus.vote_memory"

MEMBERSHIP = (
    Mutation(
        "V01",
        "after lost memory a validator votes again at once, not three heights later",
        (
            core(
                "quarantine:Quarantine.settle",
                "tip.height + OBSERVED_HEIGHTS",
                "tip.height + 1",
            ),
        ),
        test="unit/consensus/test_quarantine.py::"
        "test_it_votes_three_heights_after_the_newest_block_of_the_others",
        search=Search(("I3", "I4", "I17"), profile="disk"),
    ),
    Mutation(
        "V02",
        "one answer about the others' height ends the quarantine",
        (
            core(
                "quarantine:Quarantine.settle",
                "len(self._covered(tip, others)) < answers_needed(len(tip.validators))",
                "not self._covered(tip, others)",
            ),
        ),
        test="unit/consensus/test_quarantine.py::test_repeated_and_foreign_claims_do_not_add_up",
        search=Search(("I3", "I4", "I17"), profile="disk"),
    ),
    Mutation(
        "V03",
        "a minority runs up its rounds alone",
        (core("upon_timer:upon_timer", " or not now.is_shared", ""),),
        test="scenarios/test_consensus_scenarios.py::"
        "test_two_dead_validators_of_four_stop_everything_and_nothing_forks",
        search=Search(("I14", "I15"), profile="liveness"),
    ),
    Mutation(
        "V08",
        "a missing journal is taken for a new one",
        (
            Edit(f"{_MEMORY}:_open", "if journal.content.is_empty:", "if False:"),
            Edit(
                f"{_MEMORY}:_reason_for_distrust",
                "(0 if boot is None else boot.epoch) < ledger_epoch",
                "boot is not None and boot.epoch < ledger_epoch",
            ),
        ),
        test=f"{_QUARANTINE}::test_a_deleted_journal_before_the_first_block",
        search=Search(("I3", "I17"), profile="disk"),
    ),
    Mutation(
        "V09",
        "a copy of a journal is believed",
        (
            Edit(f"{_MEMORY}:_reason_for_distrust", "boot.file != journal.identity()", "False"),
            Edit(
                f"{_MEMORY}:_reason_for_distrust",
                "(0 if boot is None else boot.epoch) < ledger_epoch",
                "False",
            ),
        ),
        test=f"{_QUARANTINE}::test_a_folder_restored_from_an_older_copy",
        search=Search(("I3", "I17"), profile="disk"),
    ),
    Mutation(
        "V10",
        "a seal of ours that the journal does not know makes nobody wonder",
        (Edit(f"{_MEMORY}:_has_seal", "seal.consenter_id == consenter_id", "False"),),
        test=f"{_QUARANTINE}::test_a_journal_older_than_a_seal_in_the_ledger",
    ),
    Mutation(
        "V11",
        "acknowledged records that are gone from the end of the journal pass for a torn end",
        (
            Edit(
                "ledger.storage.frame_log:FrameLog._recover",
                "acknowledged > scan.good_bytes",
                "False",
            ),
        ),
        test=f"{_QUARANTINE}::test_a_shorter_journal_than_was_acknowledged_is_damage",
        search=Search(("I3", "I17"), profile="disk"),
    ),
    Mutation(
        "V12",
        "a vote of ours that the journal does not know makes nobody wonder",
        (Edit("ledger.node.consensus.driver:_forgotten_vote", "forgotten is None or", "True or"),),
        test=f"{_QUARANTINE}::"
        "test_a_copy_written_into_the_files_shows_when_a_forgotten_vote_comes",
    ),
    Mutation(
        "V13",
        "a round joined while the disk was full is not announced when there is room",
        (
            core(
                "observing:_announce_what_it_joined",
                "now.round == 0 or",
                "True or",
            ),
        ),
        test="unit/consensus/test_quarantine.py::"
        "test_a_round_it_was_pulled_to_during_a_pause_is_announced_after_it",
        search=Search(("I14",), validators=5),
    ),
    Mutation(
        "V04",
        "a bad signature approves a configuration",
        (
            Edit(
                "ledger.validation.config_transaction:update_signers",
                "signatures.verify(one.creator, one.message(update.update_raw), one.signature)",
                "True",
            ),
        ),
        test="unit/validation/test_config_signatures.py::"
        "test_a_signature_over_something_else_approves_nothing",
    ),
    Mutation(
        "V05",
        "a configuration need not be what its update leads to",
        (
            Edit(
                "ledger.validation.config_transaction:check_config_transaction",
                "_bytes(expected) != _bytes(carried.config)",
                "False",
            ),
        ),
        test=f"{_CHANGE}::test_a_configuration_that_its_update_does_not_give",
    ),
    Mutation(
        "V06",
        "anyone may order a configuration",
        (
            Edit(
                "ledger.validation.config_transaction:check_config_transaction",
                "creator.public_key_der not in current.validator_keys()",
                "False",
            ),
        ),
        test=f"{_CHANGE}::test_only_a_validator_orders_a_configuration",
    ),
    Mutation(
        "V07",
        "our own rules are not asked when enough admins signed",
        (
            Edit(
                "ledger.validation.config_transaction:next_config",
                "    check_successor(",
                "    (lambda *_, **__: None)(",
            ),
        ),
        test=f"{_CHANGE}::test_rules_count_although_every_admin_signed",
    ),
)
