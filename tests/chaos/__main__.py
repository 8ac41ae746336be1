"""`python -m tests.chaos`: real validators under load while they are killed, paused and cut off.

    python -m tests.chaos --plan tests/chaos/plans/four.toml --seconds 60 --seed 7
    python -m tests.chaos --kills 1000 --folder /tmp/kills     (again in the same folder: adds up)
    python -m tests.chaos --pause 60

Ends with what was seen and status 0 when nothing is wrong.
"""

import argparse
import asyncio
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.chaos import namespaces
from tests.chaos.chaos_plan import ChaosPlan, load_chaos_plan
from tests.chaos.checks import judge
from tests.chaos.kill_loop import KillLoop
from tests.chaos.pause_run import pause_too_many
from tests.chaos.perturbations import Perturber, agreed
from tests.chaos.report import Report
from tests.chaos.run import Scene, running_scene
from tests.support.command_line import positive_count, positive_seconds

FOUR = Path(__file__).parent / "plans" / "four.toml"
PERTURBED_S = 60.0
SAME_TREE_OTHERWISE = {"PYTHONMALLOC": "debug", "PYTHONHASHSEED": "1"}
"""An upgrade without another tree: the same code under other interpreter settings."""


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for."""
    options = _parser().parse_args(arguments)
    if not options.relays and not namespaces.is_inside() and namespaces.are_allowed():
        return namespaces.enter(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        folder: Path | None = options.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        folder.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_run(options.plan, folder, options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    seconds, count = positive_seconds, positive_count
    parser.add_argument("--plan", type=_plan, default=str(FOUR), help="default plans/four.toml")
    parser.add_argument("--seconds", type=seconds, help="perturb for so long; default 60")
    parser.add_argument("--kills", type=count, help="kill -9 so many processes")
    parser.add_argument("--pause", type=seconds, metavar="SECONDS", help="pause too many of them")
    parser.add_argument("--seed", type=int, default=None, help="default: drawn and printed")
    parser.add_argument("--folder", type=_folder, help="keep network and notes there, and add up")
    parser.add_argument(
        "--relays", action="store_true", help="TCP relays even where namespaces are allowed"
    )
    parser.add_argument(
        "--other-tree",
        type=_other_tree,
        default=SAME_TREE_OTHERWISE,
        metavar="DIR",
        help="upgraded validators run the code of this folder, e.g. of another release",
    )
    return parser


def _plan(text: str) -> ChaosPlan:
    try:
        return load_chaos_plan(Path(text))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {text}: {error.strerror}") from error
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"{text} has no {error.args[0]!r}") from error
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text} is no chaos plan: {error}") from error


def _folder(text: str) -> Path:
    folder = Path(text)
    if folder.exists() and not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return folder


def _other_tree(text: str) -> dict[str, str]:
    """The environment in which a process runs that folder's code."""
    if not (Path(text) / "ledger").is_dir():
        raise argparse.ArgumentTypeError(
            f"{text} holds no Gridledger: its folder ledger is missing"
        )
    return {"PYTHONPATH": str(Path(text).resolve())}


async def _run(plan: ChaosPlan, folder: Path, options: argparse.Namespace) -> int:
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    links = "network namespaces" if namespaces.is_inside() else "TCP relays"
    print(f"{plan.validators} validators over {links}, seed {seed}, in {folder}", flush=True)
    report = Report.load(folder / "report.json")
    report.seeds.append(seed)
    async with running_scene(plan, folder, seed=seed) as scene:
        async with scene.load.running(plan.clients):
            await _perturb(plan, scene, options, report, seed)
        report.errors += scene.load.errors
        await agreed(scene.validators)
    report.save(folder / "report.json")
    verdict = await judge(scene.validators, folder / "acknowledged.txt")
    print("\n".join(report.lines(verdict)), flush=True)
    return 1 if verdict.wrong else 0


async def _perturb(
    plan: ChaosPlan, scene: Scene, options: argparse.Namespace, report: Report, seed: int
) -> None:
    nothing_asked = options.seconds is options.kills is options.pause is None
    if options.seconds is not None or nothing_asked:
        perturber = Perturber(plan, scene.validators, scene.wires, options.other_tree, seed)
        await perturber.run(PERTURBED_S if nothing_asked else options.seconds)
        report.add_perturbations(perturber.done)
        report.recovery_s += perturber.recovery_s
    if options.kills is not None:
        loop = KillLoop(scene.validators, scene.load, seed)
        await loop.run(options.kills)
        report.kills += loop.kills
        report.rounds += loop.rounds
        report.all_at_once += loop.all_at_once
        report.recovery_s += loop.recovery_s
    if options.pause is not None:
        result = await pause_too_many(scene, seconds=options.pause)
        print(
            f"{result.paused} of {plan.validators} paused for {result.paused_s:.0f} s:"
            f" {result.commits_while_paused} commits meanwhile,"
            f" the next {result.block_after_s:.1f} s after they went on"
        )
        assert result.commits_while_paused == 0, "blocks without a quorum"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
