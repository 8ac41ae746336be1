# ruff: noqa: T201 - a command prints
"""The commands of Fabric's `peer` that the suites use, answered by our own command line.

What a suite reads of the output has the form it has there.
"""

import argparse
import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.client.blocks import newest_block
from ledger.endorsement.packages.package import read_package
from ledger.model.block import Block
from ledger.model.codec_block import encode_block
from network.layout import NetworkLayout
from network.plan import PeerPlan, Plan
from network.running.clients import admin_identity, channel_to
from tests.interop.chaincode_services import ChaincodeServices
from tests.interop.lifecycle_steps import LifecycleSteps, Wish, one_at_a_time, require


class UnknownCommand(Exception):  # noqa: N818 - what happened
    """A suite asks for something that nobody answers yet."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who asks which peer."""

    plan: Plan
    plan_path: Path
    mspid: str
    address: str
    """`host:port` of the peer as clients know it."""
    msp_folder: Path
    """Certificate and key of the user, in Fabric's folders."""
    folder: Path
    """Where packages and the like are put."""
    mounts: Mapping[str, Path]
    """Folders that the suite names as its containers would see them."""

    @property
    def peer(self) -> PeerPlan:
        """The peer that is asked."""
        for peer in self.plan.peers:
            if self.address in (peer.external_address, peer.address):
                return peer
        raise UnknownCommand(f"there is no peer at {self.address}")

    def path(self, text: str) -> Path:
        """A file where it is on this machine."""
        for mounted, place in self.mounts.items():
            if text.startswith(f"{mounted}/"):
                return place / text.removeprefix(f"{mounted}/")
        return Path(text)


class PeerCommands:
    """One command of `peer`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._steps = LifecycleSteps(session.plan_path, session.peer.member_id)

    def run(self, words: Sequence[str]) -> int:
        """The command's exit status."""
        match list(words):
            case ["channel", "join", *_]:
                return 0  # a peer is on the channel from its first start on
            case ["channel", "fetch", "newest", *rest]:
                self._fetch_newest(rest)
            case ["lifecycle", "chaincode", action, *rest]:
                self._lifecycle(action, rest)
            case ["chaincode", "invoke" | "query" as action, *rest]:
                self._call(action, rest)
            case _:
                raise UnknownCommand(" ".join(words))
        return 0

    # -- lifecycle --------------------------------------------------------------------------------

    def _lifecycle(self, action: str, rest: Sequence[str]) -> None:
        options, _ = _lifecycle_parser().parse_known_args(rest)
        if action == "package":
            self._package(options)
        elif action == "install":
            self._steps.install(self._session.folder / options.package)
        elif action == "queryinstalled":
            for package_id in self._steps.installed():
                label = package_id.rpartition(":")[0]
                print(f"Package ID: {package_id}, Label: {label}")
        elif action == "approveformyorg":
            self._steps.approve(self._wish(options), options.package_id)
        elif action == "commit":
            self._steps.commit(self._wish(options))
        elif action == "querycommitted":
            version, sequence = self._steps.committed(options.name)
            print(f"Committed chaincode definition for chaincode '{options.name}':")
            print(f"Version: {version}, Sequence: {sequence}, Endorsement Plugin: escc")
        else:
            raise UnknownCommand(action)

    def _package(self, options: argparse.Namespace) -> None:
        """Our contract in place of a Go one; a Node chaincode as it is, as a service."""
        output = self._session.folder / options.package
        source = self._session.path(options.path)
        if options.lang == "golang":
            self._steps.package_contract(source.name, options.label, output)
            return
        services = ChaincodeServices(self._session.folder)
        with one_at_a_time(self._session.folder / "services.lock"):
            template = services.address_template(options.label)
            self._steps.package_service(template, options.label, output)
            package_id = read_package(output.read_bytes()).package_id
            services.start_all(options.label, source, package_id, self._session.plan.peers)

    def _wish(self, options: argparse.Namespace) -> Wish:
        collections = options.collections
        return Wish(
            name=options.name,
            version=options.version,
            policy=options.policy,
            sequence=int(options.sequence),
            collections=None if collections is None else self._session.path(collections),
        )

    # -- calls ------------------------------------------------------------------------------------

    def _call(self, action: str, rest: Sequence[str]) -> None:
        options, _ = _call_parser().parse_known_args(rest)
        function, *arguments = json.loads(options.content)["Args"]
        words = ["chaincode", action, "--plain", "--raw", "--user", self._user]
        for name, value in json.loads(options.transient).items():
            words += ["--transient", f"{name}={base64.b64decode(value).decode()}"]
        whose = ["--plan", str(self._session.plan_path), "--as", self._session.peer.member_id]
        print(require([*words, *whose, "--", options.name, function, *arguments]), end="")

    @property
    def _user(self) -> str:
        """`owner` for the folder `users/owner@org1.example.com/msp`."""
        return self._session.msp_folder.parent.name.partition("@")[0]

    def _fetch_newest(self, rest: Sequence[str]) -> None:
        options, _ = _fetch_parser().parse_known_args(rest)
        block = asyncio.run(self._newest_block())
        Path(options.output).write_bytes(encode_block(block))

    async def _newest_block(self) -> Block:
        plan, peer = self._session.plan, self._session.peer
        layout = NetworkLayout(plan.data_dir)
        channel = channel_to(peer.address, layout)
        try:
            return await newest_block(channel, admin_identity(peer, layout), plan.channel_id)
        finally:
            await channel.close()


def _lifecycle_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="peer lifecycle chaincode")
    parser.add_argument("package", nargs="?")
    for name in ("lang", "label", "path", "package-id", "name", "version", "sequence"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--signature-policy", dest="policy", default="")
    parser.add_argument("--collections-config", dest="collections")
    for name in ("channelID", "tls", "cafile", "orderer", "peerAddresses", "tlsRootCertFiles"):
        parser.add_argument(f"--{name}", action="append")
    parser.add_argument("-o", dest="orderer", action="append")
    parser.add_argument("--waitForEvent", action="store_true")
    return parser


def _call_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="peer chaincode")
    parser.add_argument("-n", "--name", required=True)
    parser.add_argument("-c", "--ctor", dest="content", required=True)
    parser.add_argument("--transient", default="{}")
    return parser


def _fetch_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="peer channel fetch newest")
    parser.add_argument("-c", "--channelID", required=True)
    parser.add_argument("output")
    return parser
