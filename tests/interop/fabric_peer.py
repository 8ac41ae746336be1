"""The program `peer` for suites that call Fabric's: who asks is in its environment variables."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from network.plan import load_plan
from tests.interop.containers import ADDRESS_VARIABLE
from tests.interop.peer_commands import PeerCommands, Session
from tests.interop.running_peers import FOLDER_VARIABLE

MSPID_VARIABLE = "CORE_PEER_LOCALMSPID"
MSP_FOLDER_VARIABLE = "CORE_PEER_MSPCONFIGPATH"


def main(arguments: Sequence[str] | None = None) -> int:
    """One command as `peer` is given it; its exit status."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    session = Session(
        plan=load_plan(folder / "network.toml"),
        plan_path=folder / "network.toml",
        mspid=os.environ[MSPID_VARIABLE],
        address=os.environ[ADDRESS_VARIABLE].replace("localhost", "127.0.0.1"),
        msp_folder=Path(os.environ[MSP_FOLDER_VARIABLE]),
        folder=folder,
        mounts={},
    )
    return PeerCommands(session).run(sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
