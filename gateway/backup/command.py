"""`gridledger database`: a backup of the gateway's database, and its way back.

`network.commands.database` starts this module; `python -m gateway.backup.command` does, too.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from gateway.backup.copying import CopyFailed, back_up, restore
from gateway.database import DatabaseUnavailable
from gateway.settings import GatewaySettings, load_gateway_settings

EXIT_FAILED, EXIT_USAGE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one action; returns the exit status."""
    options = _parser().parse_args(arguments)
    console = Console(file=sys.stdout, soft_wrap=True)
    try:
        settings = load_gateway_settings(options.config)
    except OSError as error:
        console.print(f"cannot read {options.config}: {error.strerror}", style="red")
        return EXIT_USAGE
    except (KeyError, TypeError, ValueError) as error:
        console.print(f"{options.config}: {error}", style="red")
        return EXIT_USAGE
    try:
        _copy(options, settings, console)
    except (CopyFailed, DatabaseUnavailable, OSError) as failure:
        console.print(str(failure), style="red")
        return EXIT_FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger database", description="The gateway's database (docs/backup.md)."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    texts = {
        "backup": "one state of everything into a new file; the gateway may run",
        "restore": "a backup into an empty database; the gateway must not run",
    }
    for name, summary in texts.items():
        action = actions.add_parser(name, help=summary, description=summary)
        action.add_argument("file", type=Path)
        action.add_argument("--config", type=Path, default=Path("gateway.json"))
    return parser


def _copy(options: argparse.Namespace, settings: GatewaySettings, console: Console) -> None:
    if options.action == "backup":
        back_up(settings.database, options.file)
        console.print(f"{options.file}: {options.file.stat().st_size} bytes")
        return
    restore(settings.database, options.file)
    console.print("restored; start the gateway, it goes on from there")


if __name__ == "__main__":
    sys.exit(main())
