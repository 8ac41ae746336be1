"""What can go wrong inside a contract, in the caller's words.

A contract raises `ContractError` for everything its caller may be told; the transaction then
fails with that status and the message `CODE: text`. Any other exception is a bug: the caller
learns only its type, the traceback goes to the chaincode's log.
"""

STATUS_OK = 200
STATUS_BAD_REQUEST = 400
STATUS_FORBIDDEN = 403
STATUS_INTERNAL_ERROR = 500


class ShimError(Exception):
    """Root of the errors this package raises on purpose."""


class ContractError(ShimError):
    """A contract refuses: `code` is stable and machine-readable, `message` one sentence.

    `status` is 400 to 599, as in HTTP; below 500 is the caller's mistake.
    """

    def __init__(self, code: str, message: str, status: int = STATUS_BAD_REQUEST) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class PeerError(ShimError):
    """The peer answered a state request with ERROR; the text is the peer's."""


class ProtocolError(ShimError):
    """The peer sent what the shim protocol does not allow; the chaincode process stops."""


class DefinitionError(ShimError):
    """A contract class is written in a way that cannot be run; raised when it is loaded."""
