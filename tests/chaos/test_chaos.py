"""Real validators under perturbation, in short; `./test --full` takes the time for more."""

import asyncio
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from ledger.consensus.quorum import quorum
from ledger.storage.keyspace import block_key
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER
from network.cli import main as gridledger
from network.layout import NetworkLayout
from network.plan import load_plan
from tests.chaos.chaos_plan import load_chaos_plan
from tests.chaos.checks import Verdict, judge
from tests.chaos.load import read_acknowledged
from tests.chaos.pause_run import paused_of
from tests.chaos.report import Report
from tests.chaos.validators import Validators

ROOT = Path(__file__).resolve().parents[2]
PLANS = Path(__file__).parent / "plans"
SEED = 20
GOOD = "verdict          good"

pytestmark = pytest.mark.slow


def chaos(folder: Path, *arguments: str) -> str:
    """Run the command; what it printed. It must end well."""
    command = [sys.executable, "-m", "tests.chaos", "--folder", str(folder), *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    assert GOOD in ended.stdout
    return ended.stdout


def verdict_on(folder: Path) -> Verdict:
    """Judge a stopped network again."""
    plan = load_plan(folder / "network.toml")
    validators = Validators(plan, NetworkLayout(plan.data_dir))
    return asyncio.run(judge(validators, folder / "acknowledged.txt"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has been through every kind of perturbation and some kills."""
    folder = tmp_path_factory.mktemp("chaos")
    plan = str(PLANS / "short.toml")
    chaos(folder, "--plan", plan, "--seconds", "10", "--kills", "10", "--seed", str(SEED))
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_perturbed_and_killed_validators_agree_and_lose_nothing(folder: Path) -> None:
    report = Report.load(folder / "report.json")
    assert report.seeds == [SEED]
    weights = load_chaos_plan(PLANS / "short.toml").weights
    assert set(report.perturbations) == {
        kind for kind, weight in asdict(weights).items() if weight
    }
    assert report.kills == 10
    assert next(read_acknowledged(folder / "acknowledged.txt"), None) is not None


def member_ledger(folder: Path, member_id: str) -> Path:
    return NetworkLayout(folder / "network-data").member(member_id).ledger_dir


def test_what_is_wrong_would_be_seen(copy: Path) -> None:
    """The checks above can fail."""
    layout = NetworkLayout(copy / "network-data")
    with (copy / "acknowledged.txt").open("a", encoding="ascii") as notes:
        notes.write(f"{'ab' * 32} 0 3\n")
    (member_ledger(copy, "dso") / "evidence.jsonl").write_text("{}\n", encoding="utf-8")
    log = layout.member("utility").log_file
    log.write_text("Traceback (most recent call last):\n", encoding="utf-8")
    verdict = verdict_on(copy)
    assert (verdict.lost, verdict.equivocations) == (1, 1)
    assert any("utility" in line and "Traceback" in line for line in verdict.wrong)


@pytest.mark.row("E110")
def test_a_byte_changed_on_disk_is_named_with_its_block(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = member_ledger(copy, "municipality")
    genesis = NetworkLayout(copy / "network-data").genesis_block
    command = ["verify-chain", "--data", str(data), "--genesis", str(genesis)]
    assert gridledger(command) == 0
    assert "blocks are good" in capsys.readouterr().out

    database = LevelDbStore(data / DATABASE_FOLDER)
    stored = bytearray(database.get(block_key(5)) or b"")
    stored[len(stored) // 2] ^= 1
    database.write([(block_key(5), bytes(stored))], sync=True)
    database.close()
    assert gridledger(command) == 1
    assert capsys.readouterr().out.startswith("BROKEN: block 5 ")
    assert gridledger([*command, "--json"]) == 1
    assert '"block": 5' in capsys.readouterr().out
    assert any("municipality: block 5" in line for line in verdict_on(copy).wrong)


def test_a_folder_without_a_ledger_is_said_to_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gridledger(["verify-chain", "--data", str(tmp_path)]) == 2
    assert "there is no ledger in" in capsys.readouterr().err


def test_a_wrong_genesis_file_says_nothing_against_the_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "network.toml"
    command = ["verify-chain", "--data", str(tmp_path), "--genesis", str(wrong)]
    assert gridledger(command) == 2
    assert f"{wrong}: No such file or directory" in capsys.readouterr().err
    wrong.write_text("[network]\n")
    assert gridledger(command) == 2
    assert f"{wrong} is no genesis block" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("validators = 3", "validators: 4 to 7"),
        ("perturbed_at_once_max = 9", "perturbed_at_once_max"),
        ("kill = 0", "all weights are 0"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path: Path, line: str, complaint: str) -> None:
    table = {
        "validators": "4",
        "min_interval_ms": "0",
        "perturbed_at_once_max": "1",
        "lasts_s": "1.0",
        "rest_s": "0.0",
        "clients": "1",
        "kill": "1",
    }
    name, _, value = line.partition(" = ")
    table[name] = value
    kill = table.pop("kill")
    text = "\n".join(f"{key} = {value}" for key, value in table.items())
    path = tmp_path / "plan.toml"
    path.write_text(f"{text}\n[perturbations]\nkill = {kill}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        load_chaos_plan(path)


@pytest.mark.full
@pytest.mark.parametrize("name", ["four", "five", "six", "seven"])
def test_every_plan(tmp_path: Path, name: str) -> None:
    chaos(tmp_path, "--plan", str(PLANS / f"{name}.toml"), "--seconds", "60", "--seed", "1")


@pytest.mark.full
def test_over_relays(tmp_path: Path) -> None:
    chaos(tmp_path, "--relays", "--seconds", "30", "--seed", "2")


@pytest.mark.full
def test_sixty_kills(tmp_path: Path) -> None:
    chaos(tmp_path, "--kills", "60", "--seed", "3")
    assert Report.load(tmp_path / "report.json").kills == 60


@pytest.mark.parametrize(("validators", "paused"), [(4, 2), (5, 2), (6, 3), (7, 3)])
def test_a_pause_leaves_no_quorum(validators: int, paused: int) -> None:
    assert paused_of(validators) == paused
    assert validators - paused < quorum(validators) <= validators - paused + 1


@pytest.mark.full
def test_three_of_six_paused_for_a_while(tmp_path: Path) -> None:
    plan = str(PLANS / "six.toml")
    assert "3 of 6 paused" in chaos(tmp_path, "--plan", plan, "--pause", "10", "--seed", "5")


@pytest.mark.full
def test_two_of_four_paused_for_a_minute(tmp_path: Path) -> None:
    assert "0 commits meanwhile" in chaos(tmp_path, "--pause", "60", "--seed", "4")
