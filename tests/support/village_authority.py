"""The authority of the test ledger's cooperative, in place of `gridledger cert serve`."""

import json
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding

from chaincode.shim.testing import identities
from gateway.identity.issuing import Certified
from ledger.crypto.signing import private_key_pem
from network.certificates.authority import Authority, KeyPair, MemberAuthority
from network.certificates.serve import answer
from tests.unit.energy.community import COOP

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def member_authority(mspid: str = COOP) -> MemberAuthority:
    """The authority whose certificates the test channel takes."""
    known = identities._authority(mspid)
    pair = KeyPair(known.certificate.public_bytes(Encoding.PEM), private_key_pem(known.key))
    return MemberAuthority(mspid, mspid, enrolment=Authority(pair), tls=Authority(pair))


class VillageIssuer:
    """See `gateway.ports.CertificateIssuer`: asks without a socket."""

    def certify(self, *, idgrid: str, role: str, request_pem: str) -> Certified:
        """See `gateway.ports.CertificateIssuer`."""
        question = {"idgrid": idgrid, "role": role, "request_pem": request_pem}
        said = answer(member_authority(), json.dumps(question).encode(), lambda: NOW)
        return Certified(said["mspid"], said["certificate_pem"])
