"""Starting and stopping the peers of a suite's network."""

import os
from pathlib import Path

from network.cli import main as gridledger
from network.plan import PeerPlan, Plan
from tests.interop.chaincode_services import ChaincodeServices, builder_settings

FOLDER_VARIABLE = "GRIDLEDGER_INTEROP_FOLDER"
"""Where the network of this run is."""


def start_peers(plan: Plan, plan_path: Path) -> int:
    """All of them; the exit status."""
    return max(start_peer(peer, plan_path) for peer in plan.peers)


def start_peer(peer: PeerPlan, plan_path: Path) -> int:
    """One peer, which is told where its own chaincode services are."""
    os.environ.update(builder_settings(peer))
    return gridledger(["network", "up", peer.id, "--plan", str(plan_path)])


def stop_all(folder: Path) -> int:
    """Peers and chaincodes."""
    ChaincodeServices(folder).stop()
    return gridledger(["network", "down", "--plan", str(folder / "network.toml")])
