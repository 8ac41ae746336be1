"""The node's secrets on its flash: made on the node, never sent.

`enrol` makes them and returns what the manager registers. The proof shows that the enrolment code
was typed into the device that has the key: whoever sees the message later cannot swap the key.
"""

import binascii
import os

from meternode import ecdsa
from meternode.flash import make_folder, read_bytes, write_bytes
from meternode.signing import HmacSigner, P256Signer, sign

SECRET_FILE = "/meter.key"
TOKEN_FILE = "/broker.token"


class NoKey(Exception):  # noqa: N818
    """The node is not enrolled yet."""


def make_secret(folder, tier):
    """Make the node's signing secret once; it is never replaced here."""
    make_folder(folder)
    if read_bytes(folder + SECRET_FILE) is None:
        if tier == "A":
            secret = os.urandom(32)
        else:
            secret = ecdsa.new_secret(os.urandom).to_bytes(32, "big")
        write_bytes(folder + SECRET_FILE, secret)


def load_signer(folder, tier):
    """The signer of tier A or B; tier C's needs its element and is made by `board/`."""
    secret = read_bytes(folder + SECRET_FILE)
    if secret is None:
        raise NoKey
    return HmacSigner(secret) if tier == "A" else P256Signer(int.from_bytes(secret, "big"))


def load_token(folder):
    """What the node signs in to the broker with."""
    token = read_bytes(folder + TOKEN_FILE)
    if token is None:
        raise NoKey
    return token.decode().strip()


def enrolment(device, code, signer):
    """`{"device", "tier", "public_key", "fingerprint", "proof"}` for the community's manager.

    The proof is the key's signature over `gridledger-enrol-1|device|code|fingerprint`. Tier A
    has no public key: its secret is shown once, to be given to the gateway.
    """
    line = f"gridledger-enrol-1|{device}|{code}|{signer.key_id}".encode()
    answer = {"device": device, "tier": signer.tier, "kid": signer.key_id}
    answer["proof"] = _base64(signer.encode(sign(signer, line)))
    if signer.tier != "A":
        body = _base64(signer.public_key)
        wrapped = "\n".join([body[at : at + 64] for at in range(0, len(body), 64)])
        pem = f"-----BEGIN PUBLIC KEY-----\n{wrapped}\n-----END PUBLIC KEY-----\n"
        answer["public_key"] = pem
        answer["fingerprint"] = signer.fingerprint
    return answer


def _base64(data):
    return binascii.b2a_base64(data).strip().decode()
