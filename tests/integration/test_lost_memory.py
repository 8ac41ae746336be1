"""Real validators that lost their journals or whose ledgers are damaged, and their operator."""

import asyncio
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.storage.journal import JOURNAL_FILE, Journal
from ledger.storage.opening import DATABASE_FOLDER
from network.commands.network import main
from network.plan import DISK_MB_MAX, DiskPlan
from network.running.lifecycle import down, up
from network.running.observers import notice_of
from network.running.processes import ProcessError
from tests.integration.running_network import RunningNetwork, create_test_network
from tests.integration.validators import agreed_head

pytestmark = pytest.mark.slow

WAIT_S = 120.0


def wait_for_notice(network: RunningNetwork, member: str, words: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while words not in notice_of(network.layout.member(member)):
        assert time.monotonic() < deadline, notice_of(network.layout.member(member))
        time.sleep(0.05)


def ledger_dir(network: RunningNetwork, member: str) -> Path:
    return network.layout.member(member).ledger_dir


def log_of(network: RunningNetwork, member: str) -> str:
    return network.layout.member(member).log_file.read_text(encoding="utf-8")


def wait_for_log(network: RunningNetwork, member: str, words: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while words not in log_of(network, member):
        assert time.monotonic() < deadline, log_of(network, member)
        time.sleep(0.05)


@contextmanager
def voted_above(folder: Path, *, height: int) -> Iterator[None]:
    """A journal that is ahead of its ledger, for a while."""
    files = (folder / JOURNAL_FILE, folder / f"{JOURNAL_FILE}.mark")
    before = [path.read_bytes() for path in files]
    journal = Journal(files[0])
    journal.restart(height)
    journal.append_all([b"vote"])
    journal.close()
    yield
    for path, content in zip(files, before, strict=True):
        path.write_bytes(content)


@pytest.fixture
def network(tmp_path):
    made = create_test_network(tmp_path)
    yield made
    down(made.plan)


def test_with_two_of_four_journals_lost_nothing_moves_until_the_operator_says_so(network, capsys):
    plan = f"--plan={network.plan_path}"
    for member in ("dso", "utility"):
        (ledger_dir(network, member) / JOURNAL_FILE).unlink()
    up(network.plan)
    wait_for_notice(network, "dso", "an operator must decide")
    wait_for_notice(network, "utility", "an operator must decide")
    assert main(["status", plan]) == 0
    assert capsys.readouterr().out.count("observer: only 2 of 4 validators vote") == 2
    assert main(["release-observers", plan]) == 1
    assert "cooperative runs" in capsys.readouterr().err
    down(network.plan)
    with voted_above(ledger_dir(network, "municipality"), height=3):
        assert main(["release-observers", plan]) == 1
        assert "municipality has voted at height 3" in capsys.readouterr().err
    assert main(["release-observers", plan]) == 0
    assert "from height 1 on these vote again: dso, utility" in capsys.readouterr().out
    assert main(["up", plan]) == 0  # returns when a contract's definition is on the channel
    assert "contract energy is on the channel" in capsys.readouterr().out
    assert not notice_of(network.layout.member("dso"))


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Four validators with a contract on the channel; each test takes another one of them."""
    made = create_test_network(tmp_path_factory.mktemp("lost-memory"))
    assert main(["up", f"--plan={made.plan_path}"]) == 0
    yield made
    down(made.plan)


def test_one_that_lost_everything_follows_and_is_counted_out_until_blocks_have_passed(
    running, capsys
):
    plan = f"--plan={running.plan_path}"
    height = asyncio.run(agreed_head(running)).height
    down(running.plan, ["dso"])
    shutil.rmtree(ledger_dir(running, "dso"))
    assert main(["up", plan, "dso"]) == 0
    assert "dso            observer: " in capsys.readouterr().out
    wait_for_notice(running, "dso", "votes again from height ")
    told = re.search(r"from height (\d+), now at (\d+)", notice_of(running.layout.member("dso")))
    assert told is not None
    votes_from, now = map(int, told.groups())
    assert now >= height, "other blocks may have come meanwhile"
    assert height + 2 <= votes_from <= now + 2
    assert main(["status", plan]) == 0
    out = capsys.readouterr().out
    assert f"observer: votes again from height {votes_from}" in out
    assert "is missing" in out


def test_one_whose_disk_is_short_says_that_it_does_not_vote_and_why_it_ended(running, capsys):
    plan = f"--plan={running.plan_path}"
    down(running.plan, ["cooperative"])
    with_little_room = replace(running.plan, disk=DiskPlan(votes_mb=DISK_MB_MAX))
    up(with_little_room, ["cooperative"])
    wait_for_notice(running, "cooperative", "not voting: disk short")
    assert main(["status", plan]) == 0
    assert "not voting: disk short" in capsys.readouterr().out
    wait_for_log(running, "municipality", "is not voting: disk short")
    down(running.plan, ["cooperative"])
    assert log_of(running, "cooperative").splitlines()[-1].endswith("ended by a signal: SIGTERM")
    up(running.plan, ["cooperative"])
    assert not notice_of(running.layout.member("cooperative"))
    wait_for_log(running, "municipality", "has room on its disk again")


def test_a_fault_is_the_last_line_of_a_log(running):
    down(running.plan, ["utility"])
    certificate = running.layout.member("utility").credential("peer").certificate
    content = certificate.read_bytes()
    certificate.write_bytes(b"no certificate")
    with pytest.raises(ProcessError):
        up(running.plan, ["utility"])
    assert "ended by a fault: " in log_of(running, "utility").splitlines()[-1]
    certificate.write_bytes(content)
    up(running.plan, ["utility"])


def test_a_damaged_database_is_fetched_again_without_asking(running):
    down(running.plan, ["utility"])
    database = ledger_dir(running, "utility") / DATABASE_FOLDER
    next(database.glob("MANIFEST-*")).write_bytes(b"not a manifest" * 9)
    up(running.plan, ["utility"])
    assert (ledger_dir(running, "utility") / f"{DATABASE_FOLDER}.damaged-1").is_dir()
    asyncio.run(agreed_head(running, at_least=2))
    down(running.plan, ["utility"])
    assert main(["verify", f"--plan={running.plan_path}", "utility"]) == 0


def test_an_operator_may_have_a_ledger_fetched_again(running, capsys):
    plan = f"--plan={running.plan_path}"
    assert main(["resync", plan, "municipality"]) == 1
    assert "municipality runs" in capsys.readouterr().err
    down(running.plan, ["municipality"])
    assert main(["resync", plan, "municipality"]) == 0
    assert main(["resync", plan, "municipality"]) == 1
    assert "has no ledger" in capsys.readouterr().err
