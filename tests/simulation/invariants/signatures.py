"""Signatures checked beside the shipped verifier: the signed bytes are put together anew here."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.simulation.keys import CHANNEL_ID, NETWORK_ID, SimConsortium

_ALGORITHM = ec.ECDSA(hashes.SHA256())


class SecondOpinion:
    """Knows every validator's key and the set in force, as the chain verifier found it."""

    def __init__(self, consortium: SimConsortium) -> None:
        self._consortium = consortium
        genesis = consortium.genesis_hash
        parts = (b"\x01", NETWORK_ID.encode(), CHANNEL_ID.encode(), genesis)
        self._prefix = b"GRIDLEDGER-CONSENSUS" + b"".join(map(_field, parts))

    def signature_is_good(
        self, set_hash: bytes, author: int, payload: bytes, signature: bytes
    ) -> bool:
        """A statement of consensus, under a validator set."""
        message = self._prefix + _field(set_hash) + payload
        return self._is_good(author, None, message, signature)

    def seal_is_good(
        self, consenter: int, certificate: bytes, message: bytes, signature: bytes
    ) -> bool:
        """A block's seal."""
        return self._is_good(consenter, certificate, message, signature)

    def _is_good(
        self, consenter: int, certificate: bytes | None, message: bytes, signature: bytes
    ) -> bool:
        members = self._consortium.members
        if not 1 <= consenter <= len(members):
            return False
        member = members[consenter - 1]
        if not self._consortium.real_signatures:
            return member.cheap.sign(message) == signature
        pem = certificate or member.node.certificate_pem
        key = x509.load_pem_x509_certificate(pem).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        try:
            key.verify(signature, message, _ALGORITHM)
        except InvalidSignature:
            return False
        return True


def _field(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
