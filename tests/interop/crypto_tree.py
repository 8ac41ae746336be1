"""Certificates and keys of a network in the folders where Fabric's tools look for them.

```
peerOrganizations/org1.example.com/
  ca/  tlsca/  msp/                          the authorities
  peers/peer0.org1.example.com/{msp,tls}/    tls/ca.crt is what clients trust
  users/User1@org1.example.com/msp/          signcerts/, keystore/key.pem
ordererOrganizations/example.com/            the same validators, under the orderers' names
```
"""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from ledger.model.policy import Role
from network.certificates.authority import KeyPair, MemberAuthority, User
from network.certificates.credentials import member_authority, read_pair
from network.layout import NetworkLayout, make_private_folder, write_new
from network.plan import Plan
from tests.interop.shapes import Organisation

ORDERER_NAMES = ("orderer", "orderer1", "orderer2", "orderer3")
FABRIC_CA_SUBJECT = "O=Hyperledger,ST=North Carolina,C=US"
"""What fabric-ca's client writes into requests unless told otherwise."""

_NODE_OUS = """\
NodeOUs:
  Enable: true
  ClientOUIdentifier: {Certificate: cacerts/CERT, OrganizationalUnitIdentifier: client}
  PeerOUIdentifier: {Certificate: cacerts/CERT, OrganizationalUnitIdentifier: peer}
  AdminOUIdentifier: {Certificate: cacerts/CERT, OrganizationalUnitIdentifier: admin}
  OrdererOUIdentifier: {Certificate: cacerts/CERT, OrganizationalUnitIdentifier: orderer}
"""


class CryptoTree:
    """Writes the tree of one network."""

    def __init__(self, root: Path, plan: Plan) -> None:
        self.root = root
        self._plan = plan
        self._layout = NetworkLayout(plan.data_dir)

    def write(
        self, organisations: Iterable[Organisation], users: Iterable[str] = ("User1",)
    ) -> None:
        """The whole tree anew, with new identities for Admin and the users."""
        shutil.rmtree(self.root, ignore_errors=True)
        first, *_ = chosen = tuple(organisations)
        for one in chosen:
            self._write_organisation(one, users)
        self._write_orderers(first)

    def enrol(
        self, one: Organisation, name: str, *, role: Role = Role.CLIENT, subject: str = ""
    ) -> Path:
        """A new identity of that organisation; its MSP folder."""
        user = User(f"{name}@{one.domain}" if not subject else name, role, subject=subject)
        pair = self._authority(one).issue_user(user, now=datetime.now(tz=UTC))
        folder = self._organisation(one) / "users" / f"{name}@{one.domain}" / "msp"
        self._write_msp(folder, one, pair, f"{name}@{one.domain}")
        return folder

    def _organisation(self, one: Organisation) -> Path:
        return self.root / "peerOrganizations" / one.domain

    def _authority(self, one: Organisation) -> MemberAuthority:
        return member_authority(self._plan, one.id, self._layout)

    def _write_organisation(self, one: Organisation, users: Iterable[str]) -> None:
        authority, folder = self._authority(one), self._organisation(one)
        _write_pair(folder / "ca", f"ca.{one.domain}", authority.enrolment.pair)
        _write_pair(folder / "tlsca", f"tlsca.{one.domain}", authority.tls.pair)
        self._write_msp(folder / "msp", one, None, "")
        for index in range(len(one.peer_ports)):
            place = self._layout.member(one.peer_id(index))
            peer = folder / "peers" / one.peer_name(index)
            name = one.peer_name(index)
            self._write_msp(peer / "msp", one, read_pair(place.credential("peer")), name)
            _write_tls(peer / "tls", authority, read_pair(place.credential("peer-tls")))
        self.enrol(one, "Admin", role=Role.ADMIN)
        for user in users:
            self.enrol(one, user)

    def _write_orderers(self, one: Organisation) -> None:
        """Every validator orders: the orderers' folders hold a validator's certificates."""
        authority = self._authority(one)
        folder = self.root / "ordererOrganizations" / "example.com"
        _write_pair(folder / "tlsca", "tlsca.example.com", authority.tls.pair)
        tls = read_pair(self._layout.member(one.id).credential("peer-tls"))
        for name in ORDERER_NAMES:
            orderer = folder / "orderers" / f"{name}.example.com"
            _write_tls(orderer / "tls", authority, tls)
            bundle = orderer / "msp" / "tlscacerts" / "tlsca.example.com-cert.pem"
            write_new(bundle, self._layout.tls_ca_bundle.read_bytes(), private=False)

    def _write_msp(self, folder: Path, one: Organisation, pair: KeyPair | None, name: str) -> None:
        authority, certificate = self._authority(one), f"ca.{one.domain}-cert.pem"
        write_new(
            folder / "cacerts" / certificate, authority.enrolment.certificate_pem, private=False
        )
        tls = folder / "tlscacerts" / f"tlsca.{one.domain}-cert.pem"
        write_new(tls, authority.tls.certificate_pem, private=False)
        node_ous = _NODE_OUS.replace("CERT", certificate)
        write_new(folder / "config.yaml", node_ous.encode(), private=False)
        if pair is not None:
            signing = folder / "signcerts" / f"{name}-cert.pem"
            write_new(signing, pair.certificate_pem, private=False)
            write_new(folder / "keystore" / "key.pem", pair.key_pem, private=True)


def _write_tls(folder: Path, authority: MemberAuthority, pair: KeyPair) -> None:
    write_new(folder / "ca.crt", authority.tls.certificate_pem, private=False)
    write_new(folder / "server.crt", pair.certificate_pem, private=False)
    write_new(folder / "server.key", pair.key_pem, private=True)


def _write_pair(folder: Path, name: str, pair: KeyPair) -> None:
    make_private_folder(folder)
    write_new(folder / f"{name}-cert.pem", pair.certificate_pem, private=False)
    write_new(folder / "key.pem", pair.key_pem, private=True)
