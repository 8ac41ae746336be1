"""The file that the Account page hands over for an agent: its key, its certificate, the gateway.

What the key may do stands on the ledger, as limits that its household signed; who has the file can
do that much until the household switches it off.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from ledger.crypto.signing import Signer, SigningIdentity

FILE_BYTES_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class AgentKey:
    """Who the agent is, for whom it acts, and through which gateway."""

    identity: SigningIdentity
    idgrid: str
    gateway: str


def read_agent_key(path: Path) -> AgentKey:
    """The key in a file of the Account page; `ValueError` if it is none."""
    with path.open("rb") as file:
        raw = file.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise ValueError(f"{path} is no agent's key: it is too long")
    try:
        content = json.loads(raw)
        signer = Signer(str(content["private_key_pem"]).encode())
        identity = SigningIdentity(
            str(content["mspid"]), str(content["certificate_pem"]).encode(), signer
        )
        return AgentKey(identity, str(content["idgrid"]), str(content["gateway"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no agent's key: {error}") from error
