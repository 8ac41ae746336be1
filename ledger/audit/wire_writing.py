"""The few protobuf fields that a verifier has to write itself, because their bytes are hashed."""


def numbered(field: int, number: int) -> bytes:
    """A varint field; absent when zero."""
    return bytes((field << 3,)) + varint(number) if number else b""


def filled(field: int, content: bytes) -> bytes:
    """A bytes, text or message field; absent when empty."""
    return message(field, content) if content else b""


def message(field: int, content: bytes) -> bytes:
    """A message field that is there even when it is empty."""
    return bytes((field << 3 | 2,)) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    groups = []
    while number > 0x7F:  # noqa: PLR2004
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*groups, number))
