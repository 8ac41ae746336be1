"""`gridledger chaincode ...`: packages, the members' agreement on them, and calls."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from ledger.endorsement.packages.package import read_package
from network.arguments import whole_number
from network.chaincode.packaging import python_package, service_package
from network.commands.chaincode_calls import invoke, query
from network.commands.chaincode_steps import (
    approve,
    commit,
    definitions,
    install,
    installed,
    readiness,
    try_package,
)
from network.commands.member import add_plan_option, run_action

SEQUENCE_MAX = 2**31 - 1
Action = Callable[[argparse.Namespace], Coroutine[Any, Any, int] | int]


def main(arguments: Sequence[str]) -> int:
    """Run one action; 1 and one line on standard error when it cannot be done."""
    options = read_options(arguments)
    action: Action = options.action

    def act() -> int:
        done = action(options)
        return done if isinstance(done, int) else asyncio.run(done)

    return run_action("chaincode", act)


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """As argparse reads them, and arguments of a function behind options as well."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and (not hasattr(options, "arguments") or any(w.startswith("-") for w in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.arguments = [*options.arguments, *rest]
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger chaincode",
        description="Chaincodes: package one, install it, approve it for your member, commit it"
        " when enough members did, and call it.",
    )
    actions = parser.add_subparsers(required=True, metavar="action")

    def add(name: str, text: str, action: Action, *, network: bool = True) -> Any:
        command = actions.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        if network:
            add_plan_option(command)
            command.add_argument("--as", dest="member", help="the member who acts (the first)")
        return command

    _add_package(add("package", "make a package of a contract", _package, network=False))
    for name, text in (
        ("check", "what in a contract would make peers disagree"),
        ("serve", "run a contract as a service that peers dial"),
    ):
        actions.add_parser(name, help=text, add_help=False)
    installing = add("install", "install a package on the member's peers", install)
    installing.add_argument("package", type=Path, help="the package file")
    add("installed", "packages on the member's first peer, and what runs from them", installed)
    listing = add("definitions", "what the members agreed on", definitions)
    listing.add_argument("name", nargs="?", help="only this chaincode, and who approved it")
    approving = add("approve", "approve a definition for the member", approve)
    approving.add_argument("--package-id", default="", help="the package its peers run for it")
    approving.add_argument(
        "--no-dry-run", action="store_true", help="do not try the package on the state first"
    )
    for command in (
        approving,
        add("readiness", "which members approved exactly this definition", readiness),
        add("commit", "commit a definition that enough members approved", commit),
    ):
        _add_definition(command)
    trying = add("dry-run", "what a package's queries answer on the present state", try_package)
    trying.add_argument("name", help="the chaincode whose state they read")
    trying.add_argument("--package-id", required=True, help="an installed package")
    trying.add_argument("--version", default="", help="what the package is told to be")
    _add_call(add("invoke", "run a function and wait until it is on the ledger", invoke))
    _add_call(add("query", "ask a function; nothing changes", query))
    return parser


def _add_package(command: argparse.ArgumentParser) -> None:
    command.add_argument("module", nargs="?", help="module with CONTRACTS = (...)")
    command.add_argument("--root", type=Path, help="the folder the module lies in")
    command.add_argument("--service", metavar="HOST:PORT", help="a chaincode that peers dial")
    command.add_argument("--dial-timeout", default="10s", help="for a service (default 10s)")
    command.add_argument(
        "--tls-ca", type=Path, help="for a service over TLS: its authority's certificate (PEM)"
    )
    command.add_argument("--label", required=True, help="such as energy_1.0")
    command.add_argument("-o", "--output", type=Path, help="the file (default LABEL.tar.gz)")
    command.add_argument(
        "--no-check", action="store_true", help="package code that peers may disagree on"
    )


def _add_definition(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", help="the chaincode's name")
    command.add_argument("--version", required=True)
    command.add_argument(
        "--sequence",
        type=whole_number(1, SEQUENCE_MAX),
        help="the definition's number (default: the next one)",
    )
    command.add_argument(
        "--policy", default="", help="who endorses, such as \"OutOf(2, 'AMSP.peer', ...)\""
    )
    command.add_argument("--collections", type=Path, help="private data collections (JSON)")
    command.add_argument(
        "--init-required", action="store_true", help="each version must be initialised first"
    )


def _add_call(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", help="the chaincode's name")
    command.add_argument("function", help="such as balance or market:place_order")
    command.add_argument(
        "arguments", nargs="*", metavar="key=value", help="@FILE as value reads a file"
    )
    command.add_argument(
        "--raw", action="store_true", help="pass the arguments as they are, in order"
    )
    command.add_argument(
        "--plain", action="store_true", help="print the answer's bytes as they are"
    )
    command.add_argument("--user", default="admin", help="whose key of the member (admin)")
    command.add_argument(
        "--transient",
        action="append",
        default=[],
        metavar="key=value",
        help="not on the ledger; @FILE as value reads a file",
    )
    command.add_argument("--init", action="store_true", help="initialise this version")
    command.add_argument(
        "--org", action="append", default=[], metavar="MSPID", help="whose peers are asked"
    )


def _package(options: argparse.Namespace) -> int:
    if (options.module is None) == (options.service is None):
        print("gridledger chaincode package: name either a module or --service")
        return 2
    if options.service is not None:
        connection: dict[str, object] = {
            "address": options.service,
            "dial_timeout": options.dial_timeout,
            "tls_required": options.tls_ca is not None,
        }
        if options.tls_ca is not None:
            connection["root_cert"] = options.tls_ca.read_text(encoding="ascii")
        raw = service_package(connection, options.label)
    else:
        if not options.no_check and not _is_deterministic(options.module, options.root):
            return 1
        raw = python_package(options.module, options.label, root=options.root)
    output: Path = options.output or Path(f"{options.label}.tar.gz")
    output.write_bytes(raw)
    print(f"{output}: {len(raw)} bytes")
    print(read_package(raw).package_id)
    return 0


def _is_deterministic(module: str, root: Path | None) -> bool:
    import sys

    from chaincode.shim.check_command import main as check

    sys.path.insert(0, str(root or Path.cwd()))
    return check([module]) == 0
