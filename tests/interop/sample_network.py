"""Answers `network.sh` of Fabric's sample network: a network of two organisations, and contracts.

`up` starts it and writes the samples' tree of certificates; `deployCC` puts a Node chaincode on
the channel, with a process of its own for each peer.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from network.cli import main as gridledger
from network.plan import load_plan
from tests.interop.chaincode_services import ChaincodeServices
from tests.interop.crypto_tree import CryptoTree
from tests.interop.deployment import deploy_service
from tests.interop.lifecycle_steps import Wish
from tests.interop.running_peers import FOLDER_VARIABLE, start_peers
from tests.interop.shapes import TEST_NETWORK, write_plan

VERSION = "1.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """One command as the script is given it, in the script's folder."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    folder = Path(os.environ[FOLDER_VARIABLE])
    if words[0] == "up":
        return up(folder, Path.cwd() / "organizations")
    assert words[0] == "deployCC", words
    options = _parser().parse_args(words[1:])
    plan_path = folder / "network.toml"
    wish = Wish(options.ccn, VERSION, options.ccep, collections=options.cccg)
    plan = load_plan(plan_path)
    deploy_service(plan, plan_path, ChaincodeServices(folder), wish, options.ccp)
    return 0


def up(folder: Path, tree: Path) -> int:
    """Make the network, its tree, and start every peer with its own services' ports."""
    path = write_plan(folder, TEST_NETWORK, name="samples")
    gridledger(["network", "init", "--plan", str(path)])
    plan = load_plan(path)
    CryptoTree(tree, plan).write(TEST_NETWORK)
    return start_peers(plan, path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="network.sh deployCC", prefix_chars="-")
    parser.add_argument("-ccn", required=True, help="the chaincode's name")
    parser.add_argument("-ccp", required=True, type=Path, help="its folder")
    parser.add_argument("-ccl", required=True, help="its language")
    parser.add_argument("-cccg", type=Path, help="its private data collections")
    parser.add_argument("-ccep", required=True, help="its endorsement policy")
    return parser


if __name__ == "__main__":
    sys.exit(main())
