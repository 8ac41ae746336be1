"""Committed chaincode definitions, decoded once per sequence."""

from ledger.crypto.channel_policies import ChannelPolicies
from ledger.crypto.policy import Layout
from ledger.endorsement.lifecycle import committed_definition
from ledger.model.config import LIFECYCLE_ENDORSEMENT_POLICY
from ledger.model.policy import PolicyReference
from ledger.model.policy_codec import encode_application_policy
from ledger.model.state import StateReader
from ledger.validation.context import ChaincodeDefinition

LIFECYCLE_POLICY = encode_application_policy(PolicyReference(LIFECYCLE_ENDORSEMENT_POLICY))
"""ApplicationPolicy bytes for changes to definitions themselves."""


class CommittedDefinitions:
    """Looks definitions up in the committed state at the time of asking."""

    def __init__(self, state: StateReader, policies: ChannelPolicies) -> None:
        self._state = state
        self._policies = policies

    def definition(self, namespace: str) -> ChaincodeDefinition | None:
        """`ledger.validation.context.ValidationContext.definition`."""
        return committed_definition(namespace, self._state, lifecycle_policy=LIFECYCLE_POLICY)

    def layouts(self, chaincode: str) -> list[Layout] | None:
        """Sets of members whose peers satisfy a chaincode's policy; None when it is unknown."""
        definition = self.definition(chaincode)
        return None if definition is None else self._policies.layouts(definition.policy)
