"""HMAC with SHA-256 (RFC 2104); MicroPython brings SHA-256 and no `hmac`."""

import hashlib

BLOCK_BYTES = 64


def hmac_sha256(key, message):
    """The 32-byte code of `message` under `key`."""
    if len(key) > BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    padded = key + bytes(BLOCK_BYTES - len(key))
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
    inner.update(message)
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
    outer.update(inner.digest())
    return outer.digest()


def equal(left, right):
    """Whether two byte strings are equal, in a time that does not tell where they differ."""
    if len(left) != len(right):
        return False
    difference = 0
    for index in range(len(left)):
        difference |= left[index] ^ right[index]
    return difference == 0
