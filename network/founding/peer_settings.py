"""`peer.json`: what a validator process is told; `ledger.node.settings.config` reads it.

Paths are relative to the file, so that a member's folder can be moved. The file holds no secret
and is written anew by every `gridledger network up`, so that changes of ports take effect.
"""

import json
import os
from pathlib import Path

from network.layout import MemberLayout, NetworkLayout, write_replacing
from network.plan import PeerPlan, Plan

MEGABYTE = 1024 * 1024


def peer_settings(plan: Plan, peer: PeerPlan, folder: MemberLayout) -> dict[str, object]:
    """The content of `peer.json` as JSON values."""
    network = NetworkLayout(folder.root.parent.parent)
    identity, tls = folder.credential("peer"), folder.credential("peer-tls")

    def relative(path: Path) -> str:
        return os.path.relpath(path, folder.root)

    return {
        "member": peer.id,
        "mspid": peer.mspid,
        "consenter_id": peer.consenter_id,
        "channel_id": plan.channel_id,
        "listen": peer.address,
        "validator_listen": peer.validator_address,
        "tls": {
            "certificate": relative(tls.certificate),
            "key": relative(tls.key),
            "ca_bundle": relative(network.tls_ca_bundle),
        },
        "identity": {
            "certificate": relative(identity.certificate),
            "key": relative(identity.key),
        },
        "genesis": relative(network.genesis_block),
        "data_dir": relative(folder.ledger_dir),
        "packages_dir": relative(folder.packages_dir),
        "validators": [
            {"consenter_id": other.consenter_id, "address": other.validator_address}
            for other in plan.peers
        ],
        "space": _space(plan),
    }


def _space(plan: Plan) -> dict[str, int]:
    """Free bytes below which the peer stops something, where the plan says so."""
    wanted = {"transactions_bytes": plan.disk.transactions_mb, "votes_bytes": plan.disk.votes_mb}
    return {name: value * MEGABYTE for name, value in wanted.items() if value is not None}


def write_peer_settings(plan: Plan, peer: PeerPlan, folder: MemberLayout) -> None:
    """Write or renew `peer.json` of one peer."""
    content = json.dumps(peer_settings(plan, peer, folder), indent=2) + "\n"
    write_replacing(folder.peer_config, content.encode("utf-8"))
