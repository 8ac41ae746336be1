"""What earlier contracts wrote, today's can read."""

import json

import pytest

from chaincode.energy import records
from tests.architecture.energy_records import frozen, missing, stored_kinds

KINDS = stored_kinds()
FREEZE = "freeze it: .venv/bin/python -m tests.architecture.energy_records"


def test_every_record_of_the_state_has_frozen_bytes() -> None:
    assert len(KINDS) > 50
    assert [name for name, _ in missing()] == [], FREEZE


@pytest.mark.parametrize("name", frozen())
def test_frozen_bytes_are_read_and_nothing_of_them_is_lost(name: str) -> None:
    assert name in KINDS, f"{name} is read no more: keep reading it, or migrate the state"
    before = frozen()[name]
    again = records.encode(records.decode(KINDS[name], before.encode()))
    assert json.loads(before).items() <= json.loads(again).items()


def test_the_bytes_of_a_record_are_canonical() -> None:
    for name, text in frozen().items():
        value = json.loads(text)
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert text == canonical, name
