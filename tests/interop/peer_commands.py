"""The commands of Fabric's `peer` that the suites use, answered by our own command line.

What a suite reads of the output has the form it has there.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from network.plan import PeerPlan, Plan


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

    def run(self, words: Sequence[str]) -> int:
        """The command's exit status."""
        match list(words):
            case ["channel", "join", *_]:
                return self._join()
            case ["lifecycle", "chaincode", action, *rest]:
                return self._lifecycle(action, rest)
        raise UnknownCommand(" ".join(words))

    def _join(self) -> int:
        """A peer is on the channel from its first start on."""
        return 0 if self._session.peer in self._session.plan.peers else 1

    def _lifecycle(self, action: str, rest: Sequence[str]) -> int:
        raise UnknownCommand(action)


_ = argparse
