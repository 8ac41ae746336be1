"""The sign guard tells a vote that this validator may have signed from one that it never did."""

from dataclasses import replace

import pytest

from ledger.storage.journal import Journal
from ledger.storage.sign_guard import VOTES_PER_HEIGHT_MAX, SignedVote, SignGuard


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "journal")
    yield made
    made.close()


def sign(guard: SignGuard, height=7, round_=0) -> SignedVote:
    return guard.sign_once(
        height=height,
        round_=round_,
        kind="Prepare",
        digest=b"A",
        payload=b"%d %d" % (height, round_),
        sign=lambda raw: b"signed " + raw,
        sync=False,
    )


def is_perhaps_mine(guard, vote: SignedVote, height=7, round_=0, kind="Prepare") -> bool:
    return guard.may_have_signed(height=height, round_=round_, kind=kind, payload=vote.payload)


def test_what_was_signed_is_known_and_what_was_not_is_strange(journal):
    guard = SignGuard(journal)
    vote = sign(guard)
    journal.sync()
    other = replace(vote, payload=b"other")
    for each in (guard, SignGuard(journal)):
        assert is_perhaps_mine(each, vote)
        assert not is_perhaps_mine(each, other)
        assert not is_perhaps_mine(each, vote, round_=1)
        assert not is_perhaps_mine(each, vote, kind="Commit")
        assert not is_perhaps_mine(each, vote, height=8)


def test_heights_that_are_over_are_not_remembered(journal):
    guard = SignGuard(journal)
    vote = replace(sign(guard), payload=b"other")
    assert is_perhaps_mine(guard, vote, height=6)
    journal.restart(8)
    assert is_perhaps_mine(guard, vote)
    assert not is_perhaps_mine(guard, vote, height=8)


def test_rounds_without_room_may_have_been_signed(journal):
    guard = SignGuard(journal)
    for round_ in range(VOTES_PER_HEIGHT_MAX + 2):
        vote = sign(guard, round_=round_)
    other = replace(vote, payload=b"other")
    assert is_perhaps_mine(guard, other, round_=1)
    assert not is_perhaps_mine(guard, other, round_=2)
    sign(guard, height=8)
    assert not is_perhaps_mine(guard, other, height=8, round_=1)
