"""What a broker's folder tells the audit: when tokens were issued, how long the certificate lasts.

`gateway.mqtt.mosquitto` writes the folder.
"""

import json
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificate

ISSUED_FILE = "issued.json"


def issued_at(folder: Path) -> dict[str, int]:
    """When each user's token was made, ms UTC; 0 where that was not noted then."""
    try:
        content = (folder / ISSUED_FILE).read_bytes()
    except FileNotFoundError:
        return {}
    return {str(user): int(at_ms) for user, at_ms in json.loads(content).items()}


def certificate_ends_ms(folder: Path) -> int:
    """Until when the broker's certificate is valid, ms UTC."""
    certificate = load_pem_x509_certificate((folder / "broker.crt").read_bytes())
    return int(certificate.not_valid_after_utc.timestamp() * 1_000)
