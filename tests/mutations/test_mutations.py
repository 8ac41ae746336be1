"""Proof that the tests have teeth: every catalogued mistake is caught by the check named for it.

The mistakes are planted in a process of their own (`python -m tests.mutations`), so that nothing
of them can stay behind.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.consensus.quorum import quorum
from tests.mutations.__main__ import main
from tests.mutations.catalogue import MUTATIONS, mutation
from tests.mutations.planting import Edit, StaleEdit, planted
from tests.mutations.replay import Judgement, read_json

ROOT = Path(__file__).parents[2]
MUTATIONS_AT_LEAST = 43


@pytest.fixture(scope="module")
def judged(request, tmp_path_factory) -> dict[str, Judgement]:
    """What every mistake met, in one run."""
    path = tmp_path_factory.mktemp("mutations") / "judged.json"
    command = [sys.executable, "-m", "tests.mutations", "--json", str(path)]
    command += ["--every-seed"] if request.config.getoption("--full") else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert path.exists(), f"{done.stdout}\n{done.stderr}"
    return read_json(path)


@pytest.mark.parametrize("number", [found.number for found in MUTATIONS])
def test_a_planted_mistake_is_caught_by_its_named_check(judged, number):
    one = judged[number]
    assert one.is_killed, f"{one.bug}: {one.trouble or f'{one.test} does not notice it'}"


def test_there_are_enough_and_each_has_a_number_of_its_own():
    assert len({found.number for found in MUTATIONS}) == len(MUTATIONS) >= MUTATIONS_AT_LEAST


def test_a_mistake_is_gone_when_its_block_ends():
    with planted(mutation("M01").edits):
        assert quorum(6) == 3
    assert quorum(6) == 4


def test_a_mistake_is_gone_after_an_error_too():
    with pytest.raises(ZeroDivisionError), planted(mutation("M01").edits):
        1 / 0  # noqa: B018
    assert quorum(6) == 4


def test_an_edit_whose_text_is_gone_is_named():
    stale = Edit("ledger.consensus.quorum:quorum", "3 * validators", "0")
    with pytest.raises(StaleEdit, match="quorum holds 0 times"), planted([stale]):
        pass


def test_an_edit_that_gives_no_python_is_named():
    broken = Edit("ledger.consensus.quorum:quorum", "2 * validators", "2 * (")
    with pytest.raises(StaleEdit, match="quorum is no Python"), planted([broken]):
        pass


def test_a_name_that_is_not_in_the_catalogue_is_refused_beside_one_that_is(capsys):
    assert main(["--name", "M01", "M99"]) == 2
    assert capsys.readouterr().out == "no such mistake: M99; --list shows all\n"
