"""Where committed chaincode definitions lie in the world state; Fabric's keys."""

LIFECYCLE_NAMESPACE = "_lifecycle"
FIELDS_PREFIX = "namespaces/fields/"
COLLECTIONS_FIELD = "Collections"


def field_key(name: str, field: str) -> str:
    """State key of one field of a chaincode's definition, in `_lifecycle`."""
    return f"{FIELDS_PREFIX}{name}/{field}"
