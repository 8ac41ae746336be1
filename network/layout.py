"""Where everything of a network lies on disk; the only maker of paths.

```
<data_dir>/
  plan.toml                      the plan `init` used
  channel/genesis.block          Fabric's common.Block
  channel/tls-ca-bundle.pem      the TLS authorities of all members
  members/<id>/
    authorities/{ca,tlsca}.{crt,key}, revoked.crl
    credentials/<name>.{crt,key} peer, peer-tls, admin, ...
    users/<name>.{crt,key}       whoever `gridledger cert issue` was asked for
    peer.json                    what `gridledger peer run` reads, written anew by `up`
    peer.pid  peer.log           the running process
    ledger/                      blocks, state, journal, sign guard
    packages/                    installed chaincode packages
  wallets/<name>.{crt,key}       identities of people and agents of a demo
```

Folders with keys are 0700 and key files 0600.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

PRIVATE_FOLDER_MODE = 0o700
PRIVATE_FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate (PEM) and its private key (PEM, 0600)."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class MemberLayout:
    """The folder of one member."""

    root: Path

    @property
    def authority(self) -> Credential:
        """The enrolment authority: signs identities."""
        return self._pair("authorities", "ca")

    @property
    def tls_authority(self) -> Credential:
        """The TLS authority: signs server and client certificates of connections."""
        return self._pair("authorities", "tlsca")

    @property
    def revocation_list(self) -> Path:
        """Certificates of the enrolment authority that no longer count (PEM)."""
        return self.root / "authorities" / "revoked.crl"

    def credential(self, name: str) -> Credential:
        """An identity or TLS pair by name: `peer`, `peer-tls`, `admin`, ..."""
        return self._pair("credentials", name)

    def user(self, name: str) -> Credential:
        """Identity of a person or application that the member vouches for."""
        return self._pair("users", name)

    def _pair(self, folder: str, name: str) -> Credential:
        return Credential(
            certificate=self.root / folder / f"{name}.crt", key=self.root / folder / f"{name}.key"
        )

    @property
    def peer_config(self) -> Path:
        """What the peer process reads."""
        return self.root / "peer.json"

    @property
    def pid_file(self) -> Path:
        """Which process runs the peer."""
        return self.root / "peer.pid"

    @property
    def log_file(self) -> Path:
        """What the peer prints."""
        return self.root / "peer.log"

    @property
    def ledger_dir(self) -> Path:
        """What the peer stores; deleted only by `reset --yes-delete-data`."""
        return self.root / "ledger"

    @property
    def packages_dir(self) -> Path:
        """Chaincode packages installed on the peer."""
        return self.root / "packages"


@dataclass(frozen=True, slots=True)
class NetworkLayout:
    """The data folder of one network."""

    root: Path

    @property
    def plan_copy(self) -> Path:
        """The plan `init` used; its presence says the network exists."""
        return self.root / "plan.toml"

    @property
    def genesis_block(self) -> Path:
        """Block 0 as Fabric's tools read it."""
        return self.root / "channel" / "genesis.block"

    @property
    def tls_ca_bundle(self) -> Path:
        """The TLS authority certificates of all members, one PEM file."""
        return self.root / "channel" / "tls-ca-bundle.pem"

    @property
    def members_dir(self) -> Path:
        """One folder per member."""
        return self.root / "members"

    def member(self, member_id: str) -> MemberLayout:
        """The folder of that member."""
        return MemberLayout(self.members_dir / member_id)

    def wallet(self, name: str) -> Credential:
        """An identity of a person or agent kept by this machine (demo only)."""
        folder = self.root / "wallets"
        return Credential(certificate=folder / f"{name}.crt", key=folder / f"{name}.key")


def make_private_folder(path: Path) -> None:
    """Create a folder only its owner may enter; parents that are missing are private too."""
    if path.is_dir():
        return
    make_private_folder(path.parent)
    path.mkdir(mode=PRIVATE_FOLDER_MODE)


def write_new(path: Path, content: bytes, *, private: bool) -> None:
    """Write a file that must not exist yet; a private one is never readable by others.

    Raises `FileExistsError`: nothing of a network is overwritten silently.
    """
    make_private_folder(path.parent)
    mode = PRIVATE_FILE_MODE if private else 0o644
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def write_replacing(path: Path, content: bytes, *, mode: int = PRIVATE_FILE_MODE) -> None:
    """Replace a generated file at once: a reader sees the old or the new one, never half."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.chmod(mode)
    temporary.replace(path)


def exposed_keys(layout: NetworkLayout) -> list[Path]:
    """Key files that others than the owner may read or write; an empty list is the good answer."""
    return [
        path
        for path in sorted(layout.root.rglob("*.key"))
        if stat.S_IMODE(path.stat().st_mode) & ~PRIVATE_FILE_MODE
    ]
