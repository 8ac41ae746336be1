"""What a receipt proves in plain words: hours, corrections, deals in every state."""

import json
from dataclasses import replace

import pytest

from chaincode.energy import records
from chaincode.energy.marketplace.posts import post_key
from chaincode.energy.marketplace.records import Post, PostState
from network.commands.receipt_words import POST_STATES, UNTOLD, words_of
from tests.support.receipt_world import DEAL, settlement_line


def told(post: Post) -> str:
    return words_of(post_key(post.post_id), json.loads(records.encode(post)))


def test_a_settled_deal_names_both_sides_what_came_and_what_was_paid():
    assert told(DEAL) == (
        "deal from house to house, hour from 2026-01-15T10 UTC: seller VAL-0001-X, buyer "
        "VAL-0002-Y; 4.000 kWh for 0.216000 tokens; settled; delivered 3.200 kWh, paid 0.172800 "
        "tokens, refunded 0.043200 tokens."
    )


@pytest.mark.parametrize("state", list(PostState))
def test_every_state_of_a_deal_has_words(state):
    waiting = replace(DEAL, state=state, delivered_wh=None, paid_utoken=None, buyer_idgrid=None)
    assert told(waiting).endswith(
        f"buyer nobody yet; 4.000 kWh for 0.216000 tokens; {POST_STATES[state]}."
    )


def test_a_correction_says_that_it_is_one():
    line = json.loads(settlement_line("VAL-0001", sold_wh=-500, received_utoken=-27_000))
    assert words_of("correction~VAL-0001~2026-01-01T14~0002", line).startswith(
        "correction 2 for household VAL-0001, hour from 2026-01-01T14 UTC; what it changed: sold "
        "-0.500 kWh, bought 0.000 kWh; received -0.027000 tokens"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("listing~2026-01-01T14", {"state": "OPEN"}),
        ("line~VAL-0001~2026-01-01T14", {}),
        ("line~VAL-0001", json.loads(settlement_line("VAL-0001"))),
        ("line~VAL-0001~2026-01-01T14", "abcd"),
        ("line~VAL-0001~2026-01-01T14", json.loads(settlement_line("V")) | {"sold_wh": "1"}),
        ("post~2026-01-15T10~ab", json.loads(records.encode(DEAL)) | {"state": "NEW"}),
        ("post~2026-01-15T10~ab", json.loads(records.encode(DEAL)) | {"energy_wh": None}),
        ("", None),
    ],
)
def test_what_is_not_known_is_not_guessed(key, value):
    assert words_of(key, value) == UNTOLD
