"""The `gridledger` command; a subcommand is imported when it is used, so that it starts fast."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PLAN = "network.toml"
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: what it is for, and how it runs with the arguments after its name."""

    summary: str
    run: Callable[[Sequence[str]], int]


def _demo(arguments: Sequence[str]) -> int:
    from network.demo.command import main as run_demo

    return run_demo(arguments)


def _bench(arguments: Sequence[str]) -> int:
    from network.bench.command import main as run_bench

    return run_bench(arguments)


def _network(arguments: Sequence[str]) -> int:
    from network.commands.network import main as run_network

    return run_network(arguments)


def _verify_chain(arguments: Sequence[str]) -> int:
    from network.commands.verify_chain import main as run_verify_chain

    return run_verify_chain(arguments)


def _verify_receipt(arguments: Sequence[str]) -> int:
    from network.commands.verify_receipt import main as run_verify_receipt

    return run_verify_receipt(arguments)


def _validators(arguments: Sequence[str]) -> int:
    from network.commands.verify_receipt import list_validators

    return list_validators(arguments)


def _top(arguments: Sequence[str]) -> int:
    from network.top.command import main as run_top

    return run_top(arguments)


def _client(arguments: Sequence[str]) -> int:
    from network.commands.client import main as run_client

    return run_client(arguments)


def _snapshot(arguments: Sequence[str]) -> int:
    from network.commands.snapshot import main as run_snapshot

    return run_snapshot(arguments)


def _simulate(arguments: Sequence[str]) -> int:
    return _run_from_repository(
        "simulate", "the simulator is", "tests.simulation.command", arguments
    )


def _scenario(arguments: Sequence[str]) -> int:
    module = "tests.scenarios.market.command"
    return _run_from_repository("scenario", "the scenarios are", module, arguments)


def _run_from_repository(name: str, what: str, module: str, arguments: Sequence[str]) -> int:
    """A command that lies among the tests, which no installed package contains."""
    root = Path(__file__).resolve().parent.parent
    if not root.joinpath(*module.split(".")).with_suffix(".py").is_file():
        print(
            f"gridledger {name}: {what} in the source repository only;"
            " clone it and run the command there",
            file=sys.stderr,
        )
        return EXIT_FAILED
    sys.path.insert(0, str(root))
    from importlib import import_module

    status: int = import_module(module).main(arguments)
    return status


def _charger(arguments: Sequence[str]) -> int:
    from network.commands.charger import main as run_charger

    return run_charger(arguments)


def _clear(arguments: Sequence[str]) -> int:
    from chaincode.energy.market.clear_command import main as run_clear

    if sys.stdin.isatty() and not {"-h", "--help"} & set(arguments):
        print("type or paste one order book, then Ctrl-D (--help shows one)", file=sys.stderr)
    return run_clear(arguments, sys.stdin, sys.stdout, sys.stderr)


def _policy(arguments: Sequence[str]) -> int:
    from network.planning.country_policy import main as run_policy

    return run_policy(arguments)


def _sizing(arguments: Sequence[str]) -> int:
    from network.planning.microgrid_sizing import main as run_sizing

    return run_sizing(arguments)


def _doctor(arguments: Sequence[str]) -> int:
    from network.commands.doctor import report

    parser = argparse.ArgumentParser(
        prog="gridledger doctor", description="What is missing here, and the fix."
    )
    parser.add_argument(
        "--plan",
        type=Path,
        default=Path(DEFAULT_PLAN),
        help=f"the plan file (default {DEFAULT_PLAN})",
    )
    return report(parser.parse_args(arguments).plan)


def _peer(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="gridledger peer", description="One validator process, as `network up` starts it."
    )
    actions = parser.add_subparsers(required=True, metavar="action")
    run = actions.add_parser("run", help="run in the foreground until SIGTERM")
    run.add_argument("--config", type=Path, required=True, help="peer.json of the member")
    options = parser.parse_args(arguments)
    from network.commands.run_peer import run_peer_process

    return run_peer_process(options.config)


def _chaincode(arguments: Sequence[str]) -> int:
    """`serve` and `check` need no ledger: they also run where a Fabric network is."""
    action = arguments[0] if arguments else ""
    if action == "serve":
        from chaincode.shim.serve_command import main as run_serve

        return run_serve(arguments[1:])
    if action == "check":
        from chaincode.shim.check_command import main as run_check

        return run_check(arguments[1:])
    from network.commands.chaincode import main as run_chaincode

    return run_chaincode(arguments)


def _member(arguments: Sequence[str]) -> int:
    from network.commands.member import main as run_member

    return run_member(arguments)


def _cert(arguments: Sequence[str]) -> int:
    from network.commands.cert import main as run_cert

    return run_cert(arguments)


def _oracle(arguments: Sequence[str]) -> int:
    from network.commands.oracle import main as run_oracle

    return run_oracle(arguments)


def _broker(arguments: Sequence[str]) -> int:
    from network.commands.broker import main as run_broker

    return run_broker(arguments)


def _study(arguments: Sequence[str]) -> int:
    from network.study.command import main as run_study

    return run_study(arguments)


def _gateway(arguments: Sequence[str]) -> int:
    from network.commands.gateway import main as run_gateway

    return run_gateway(arguments)


def _timetable(arguments: Sequence[str]) -> int:
    from network.commands.timetable import main as run_timetable

    return run_timetable(arguments)


def _database(arguments: Sequence[str]) -> int:
    from network.commands.database import main as run_database

    return run_database(arguments)


def _raw_data(arguments: Sequence[str]) -> int:
    from network.commands.raw_data import main as run_raw_data

    return run_raw_data(arguments)


def _readmodel(arguments: Sequence[str]) -> int:
    from network.commands.readmodel import main as run_readmodel

    return run_readmodel(arguments)


COMMANDS = {
    "demo": Command("a four-member community trading on real household data", _demo),
    "network": Command(
        "init, up, status, verify, down, reset: a network on this machine", _network
    ),
    "member": Command(
        "propose, approve, list: members, validators and limits of a running channel", _member
    ),
    "chaincode": Command(
        "package, install, approve, commit, invoke, query: contracts of a channel", _chaincode
    ),
    "cert": Command("status, issue, rotate, revoke: certificates and keys", _cert),
    "verify-chain": Command(
        "check a stopped validator's ledger, independently of the code that wrote it",
        _verify_chain,
    ),
    "verify-receipt": Command("check a receipt offline, asking nobody", _verify_receipt),
    "validators": Command(
        "who may seal which blocks: the list receipts are checked against", _validators
    ),
    "snapshot": Command(
        "create, verify, restore: a ledger's state in one file, with its proof", _snapshot
    ),
    "top": Command("watch a running network, its market and its meters", _top),
    "client": Command("write a Python client of the gateway's REST API", _client),
    "doctor": Command("what is missing here, and the fix", _doctor),
    "simulate": Command("run or replay seeds of the consensus simulator", _simulate),
    "gateway": Command("run a community's gateway, with settings made the first time", _gateway),
    "oracle": Command("answer what the ledger asks of a member", _oracle),
    "charger": Command("a car's charger: buys the hours it charges in, switches it", _charger),
    "broker": Command("configuration, certificate and rights of a community's mosquitto", _broker),
    "timetable": Command("open, close, clear and settle listings when they are due", _timetable),
    "database": Command("backup, restore: the gateway's own data", _database),
    "raw-data": Command("compare, export, prove: stored readings and their anchors", _raw_data),
    "readmodel": Command("status, rebuild: the gateway's copy of the ledger", _readmodel),
    "scenario": Command("tell a documented market run step by step, without a network", _scenario),
    "clear": Command("clear one order book given as JSON on standard input", _clear),
    "policy": Command("what a country's law makes of the market, as one file", _policy),
    "sizing": Command("panels, batteries and sunless hours of a house on a DC bus", _sizing),
    "bench": Command(
        "measure throughput, latency and cost on this machine; takes about a minute", _bench
    ),
    "study": Command("network: sizes of records, delays for 2 to 7 houses", _study),
    "peer": Command("run one validator process", _peer),
}


def usage() -> str:
    """The text of `gridledger --help`."""
    lines = [f"  {name:<12} {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: gridledger COMMAND [options]     (gridledger COMMAND --help says more)",
            "",
            *lines,
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help", "help"}:
        print(usage(), end="")
        return 0 if words else EXIT_USAGE
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"gridledger {version('gridledger')}")
        return 0
    command = COMMANDS.get(words[0])
    if command is None:
        print(f"gridledger: there is no command {words[0]!r}\n{usage()}", end="", file=sys.stderr)
        return EXIT_USAGE
    try:
        return command.run(words[1:])
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
