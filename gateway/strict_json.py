"""JSON that strangers send to the gateway: `chaincode.strict_json`, within 64-bit integers."""

from typing import Any

from chaincode.strict_json import DEPTH_MAX, BadJson, strict_json

__all__ = ["DEPTH_MAX", "INTEGER_MAX", "BadJson", "parse_strictly"]

INTEGER_MAX = 2**63 - 1


def parse_strictly(raw: bytes) -> Any:
    """The value of a UTF-8 JSON text; raises BadJson."""
    return strict_json(raw, read_integer=_integer)


def _integer(text: str) -> int:
    # The digits are counted first: a long text takes long to convert.
    if len(text) > len(str(-INTEGER_MAX)) or not -INTEGER_MAX - 1 <= int(text) <= INTEGER_MAX:
        raise BadJson("a number does not fit into 64 bits")
    return int(text)
