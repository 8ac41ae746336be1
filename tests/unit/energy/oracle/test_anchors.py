"""Anchors: batch after batch, once each, every member its own series."""

from typing import Any

import pytest

from tests.unit.energy.community import COOP, DSO, Community, refuses

ROOT, OTHER_ROOT = "11" * 32, "22" * 32
RECORD = "anchors:record"


@pytest.fixture
def community() -> Community:
    return Community.found()


def record(community: Community, number: int, last_row: int, root: str = ROOT) -> dict[str, Any]:
    recorded: dict[str, Any] = community.oracle.submit(RECORD, "raw", number, last_row, root)
    return recorded


def test_batches_follow_each_other_and_anybody_may_compare(community: Community) -> None:
    first = record(community, 1, 40)
    second = record(community, 2, 41, OTHER_ROOT)
    assert (first["first_row"], first["last_row"]) == (1, 40)
    assert (second["first_row"], second["last_row"]) == (41, 41)
    assert second["mspid"] == DSO
    household = community.register()
    assert household.client.evaluate("anchors:get", DSO, "raw") == second
    assert household.client.evaluate("anchors:get", DSO, "raw", 1) == first
    assert household.client.evaluate("anchors:page", DSO, "raw") == [first, second]
    assert household.client.evaluate("anchors:page", DSO, "raw", 2) == [second]


def test_the_same_batch_again_changes_nothing(community: Community) -> None:
    first = record(community, 1, 40)
    record(community, 2, 50)
    before = community.ledger.snapshot().state
    assert record(community, 1, 40) == first
    assert community.ledger.snapshot().state == before


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("ANCHOR_DIFFERS", ("raw", 1, 40, OTHER_ROOT)),
        ("ANCHOR_DIFFERS", ("raw", 1, 41, ROOT)),
        ("ANCHOR_DIFFERS", ("raw", 0, 40, ROOT)),
        ("ANCHOR_OUT_OF_ORDER", ("raw", 3, 80, ROOT)),
        ("ANCHOR_OUT_OF_ORDER", ("another", 2, 80, ROOT)),
        ("INVALID_ARGUMENT", ("raw", 2, 40, ROOT)),
        ("INVALID_ARGUMENT", ("raw", 2, 40 + 10**6 + 1, ROOT)),
        ("NOT_POSITIVE", ("raw", 2, -1, ROOT)),
        ("INVALID_ARGUMENT", ("raw", 2, 50, "no hash")),
        ("INVALID_ARGUMENT", ("ra w", 2, 50, ROOT)),
    ],
)
def test_history_cannot_be_written_anew(
    community: Community, code: str, arguments: tuple[Any, ...]
) -> None:
    record(community, 1, 40)
    refuses(community, code, community.oracle, RECORD, *arguments)


def test_a_series_is_its_members_own(community: Community) -> None:
    record(community, 1, 40)
    other = community.ledger.client(COOP, "another", attributes={"role": "oracle"})
    assert other.submit(RECORD, "raw", 1, 7, OTHER_ROOT)["mspid"] == COOP
    assert community.manager.evaluate("anchors:get", DSO, "raw")["root"] == ROOT
    refuses(community, "ROLE_NOT_ALLOWED", community.scheduler, RECORD, "raw", 2, 50, ROOT)
    refuses(community, "NO_ANCHOR", community.manager, "anchors:get", DSO, "none")
    refuses(community, "NO_ANCHOR", community.manager, "anchors:get", DSO, "raw", 2)
