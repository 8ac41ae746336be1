"""What a Fabric peer would say no to."""


class Refused(Exception):  # noqa: N818 - what happened, not a mistake
    """A block, a configuration or an identity that a Fabric peer does not accept."""


def require(condition: object, text: str) -> None:
    """Raise Refused with this text unless the condition holds."""
    if not condition:
        raise Refused(text)
