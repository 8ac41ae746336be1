"""Committed chaincode definitions, and who has to endorse under them."""

from ledger.crypto.policy import Layout
from ledger.endorsement.definitions import committed_definition
from ledger.model.state import StateReader
from ledger.node.channel import CurrentChannel
from ledger.validation.context import ChaincodeDefinition


class CommittedDefinitions:
    """Looks definitions up in the committed state at the time of asking."""

    def __init__(self, state: StateReader, channel: CurrentChannel) -> None:
        self._state = state
        self._channel = channel

    def definition(self, namespace: str) -> ChaincodeDefinition | None:
        """`ledger.validation.context.ValidationContext.definition`."""
        return committed_definition(namespace, self._state)

    def layouts(self, chaincode: str) -> list[Layout] | None:
        """Sets of members whose peers satisfy a chaincode's policy; None when it is unknown."""
        definition = self.definition(chaincode)
        if definition is None:
            return None
        return self._channel.state.policies.layouts(definition.policy)
