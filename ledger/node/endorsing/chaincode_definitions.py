"""Committed chaincode definitions, and who has to endorse under them."""

from ledger.endorsement.layouts import EndorsementChoice, PolicySources, endorsement_layouts
from ledger.endorsement.lifecycle.definitions import committed_definition
from ledger.endorsement.system.chaincodes import READ_ONLY_CHAINCODES
from ledger.model.interest import Interest
from ledger.model.state import StateReader
from ledger.node.membership.channel import CurrentChannel
from ledger.validation.committed_collections import CommittedCollections
from ledger.validation.context import ChaincodeDefinition


class CommittedDefinitions:
    """Looks definitions up in the committed state at the time of asking."""

    def __init__(self, state: StateReader, channel: CurrentChannel) -> None:
        self._state = state
        self._channel = channel

    def definition(self, namespace: str) -> ChaincodeDefinition | None:
        """`ledger.validation.context.ValidationContext.definition`."""
        return committed_definition(namespace, self._state)

    def is_defined(self, chaincode: str) -> bool:
        """Whether the channel has agreed on a chaincode of this name, or every peer has it."""
        return chaincode in READ_ONLY_CHAINCODES or self.definition(chaincode) is not None

    def layouts(self, interest: Interest) -> EndorsementChoice:
        """Sets of peers that satisfy every policy a simulation touched; raises NoLayout."""
        return endorsement_layouts(
            interest,
            PolicySources(
                channel_id=self._channel.state.config.channel_id,
                definition=self.definition,
                collection=CommittedCollections(self._state).find,
                policies=lambda: self._channel.state.policies,
            ),
        )
