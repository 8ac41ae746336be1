"""What `gridledger verify-chain` prints of a good ledger."""

from collections import Counter

from ledger.audit.findings import Findings
from network.commands.verify_chain import text_of


def test_refusals_that_it_does_not_judge_are_named_in_words():
    found = Findings(genesis_hash=b"g", unjudged=Counter({6: 2, 22: 1}))
    *_, first, second = text_of(found, None).splitlines()
    assert "2 transactions were refused as invalid config transaction (code 6)" in first
    assert "1 transaction was refused as bad rwset (code 22)" in second


def test_nothing_is_said_of_refusals_where_each_was_judged():
    assert "refused" not in text_of(Findings(genesis_hash=b"g"), None)
