"""Whether a consenter's seal is good: the key is that of its certificate in the configuration."""

from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.audit.transaction_rules import is_good_signature

CERTIFICATES_REMEMBERED = 256


def is_good_seal(
    _consenter_id: int, certificate_pem: bytes, message: bytes, signature: bytes
) -> bool:
    """Signed by exactly this certificate's key, in the form with low S."""
    key = _key(certificate_pem)
    return key is not None and is_good_signature(key, message, signature)


@lru_cache(maxsize=CERTIFICATES_REMEMBERED)
def _key(certificate_pem: bytes) -> ec.EllipticCurvePublicKey | None:
    key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None
