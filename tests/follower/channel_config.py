"""A channel's configuration as a Fabric 3 peer reads it: what it requires, what it refuses."""

import re

from fabric_protos.common import configtx_pb2, configuration_pb2
from fabric_protos.msp import msp_config_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_configuration_pb2
from fabric_protos.peer import configuration_pb2 as peer_configuration_pb2

from tests.follower.membership import Membership, Memberships
from tests.follower.policies import Policies
from tests.follower.refusal import Refused, require

CHANNEL_VALUES = {
    "HashingAlgorithm": configuration_pb2.HashingAlgorithm,
    "BlockDataHashingStructure": configuration_pb2.BlockDataHashingStructure,
    "OrdererAddresses": configuration_pb2.OrdererAddresses,
    "Orderers": configuration_pb2.Orderers,
    "Consortium": configuration_pb2.Consortium,
    "Capabilities": configuration_pb2.Capabilities,
}
ORDERER_VALUES = {
    "ConsensusType": orderer_configuration_pb2.ConsensusType,
    "BatchSize": orderer_configuration_pb2.BatchSize,
    "BatchTimeout": orderer_configuration_pb2.BatchTimeout,
    "KafkaBrokers": orderer_configuration_pb2.KafkaBrokers,
    "ChannelRestrictions": orderer_configuration_pb2.ChannelRestrictions,
    "Orderers": configuration_pb2.Orderers,
    "Capabilities": configuration_pb2.Capabilities,
}
APPLICATION_VALUES = {
    "ACLs": peer_configuration_pb2.ACLs,
    "Capabilities": configuration_pb2.Capabilities,
}
MSP_VALUE = {"MSP": msp_config_pb2.MSPConfig}
ORDERER_ORG_VALUES = {**MSP_VALUE, "Endpoints": configuration_pb2.OrdererAddresses}
APPLICATION_ORG_VALUES = {**MSP_VALUE, "AnchorPeers": peer_configuration_pb2.AnchorPeers}

KNOWN_CAPABILITIES = {
    "Channel": {"V1_1", "V1_3", "V1_4_2", "V1_4_3", "V2_0", "V3_0"},
    "Orderer": {"V1_1", "V1_4_2", "V2_0"},
    "Application": {"V1_1", "V1_2", "V1_3", "V1_4_2", "V2_0", "V2_5"},
}
BFT_CAPABILITY = "V3_0"
BLOCK_VALIDATION = "Channel/Orderer/BlockValidation"
FLAT_HASH_WIDTH = 2**32 - 1
CHANNEL_ID = re.compile(r"[a-z][a-z0-9.-]{0,248}")
CONFIG_ID = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9.-]{1,249}")
DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")


class ChannelConfig:
    """One configuration that passed everything Fabric asks of it."""

    def __init__(self, channel_id: str, config: configtx_pb2.Config) -> None:
        require(CHANNEL_ID.fullmatch(channel_id), f"bad channel id {channel_id!r}")
        require(config.HasField("channel_group"), "a configuration without channel group")
        self.channel_id = channel_id
        self.config = config
        group = config.channel_group
        _check_names(group)
        require(set(group.groups) <= {"Application", "Orderer"}, "a group Fabric does not allow")
        require(len(group.groups) == 2, "Orderer and Application are both needed")
        self.values = _values(group, CHANNEL_VALUES)
        self._check_channel()
        self._memberships: dict[str, tuple[bytes, Membership]] = {}
        self.endpoints: dict[str, list[str]] = {}
        self._read_orderer(group.groups["Orderer"])
        self._read_application(group.groups["Application"])
        by_mspid = {mspid: found for mspid, (_, found) in self._memberships.items()}
        self.memberships = Memberships(by_mspid)
        self.policies = Policies(group, self.memberships)
        require(BLOCK_VALIDATION in self.policies, "no BlockValidation policy")

    def _check_channel(self) -> None:
        require(self.values["HashingAlgorithm"].name in ("SHA256", "SHA3_256"), "hash algorithm")
        width = self.values["BlockDataHashingStructure"].width
        require(width == FLAT_HASH_WIDTH, f"block data hash width {width}")
        _check_capabilities("Channel", self.values)
        require(BFT_CAPABILITY in self.values["Capabilities"].capabilities, "no BFT capability")
        global_addresses = self.values["OrdererAddresses"].addresses
        require(not global_addresses, "global orderer addresses are not allowed with V3_0")

    def _read_orderer(self, group) -> None:
        values = _values(group, ORDERER_VALUES)
        _check_capabilities("Orderer", values)
        size = values["BatchSize"]
        require(size.max_message_count and size.absolute_max_bytes, "a batch size of 0")
        preferred = size.preferred_max_bytes
        require(0 < preferred <= size.absolute_max_bytes, "preferred and absolute batch size")
        timeout = values["BatchTimeout"].timeout
        require(DURATION.fullmatch(timeout) and timeout.strip("0.nusmhµ"), f"timeout {timeout!r}")
        self.consensus_type = values["ConsensusType"].type
        self.consenters = list(values["Orderers"].consenter_mapping)
        for name, organization in group.groups.items():
            org_values = self._organization(name, organization, ORDERER_ORG_VALUES)
            self.endpoints[name] = list(org_values["Endpoints"].addresses)
            require(self.endpoints[name], f"orderer organization {name} has no endpoints")

    def _read_application(self, group) -> None:
        _check_capabilities("Application", _values(group, APPLICATION_VALUES))
        for name, organization in group.groups.items():
            self._organization(name, organization, APPLICATION_ORG_VALUES)

    def _organization(self, name: str, group, kinds) -> dict:
        require(not group.groups, f"organization {name} has sub-groups")
        values = _values(group, kinds)
        raw = values["MSP"].SerializeToString(deterministic=True)
        membership = Membership(values["MSP"])
        known = self._memberships.setdefault(membership.mspid, (raw, membership))
        require(known[0] == raw, f"two different versions of MSP {membership.mspid}")
        return values

    def tls_roots(self, organization: str) -> list[bytes]:
        """PEM of the authorities that vouch for an organisation's servers."""
        group = self.config.channel_group.groups["Orderer"].groups[organization]
        return Membership(_values(group, ORDERER_ORG_VALUES)["MSP"]).tls_roots

    def check_successor(self, new: "ChannelConfig") -> None:
        """What Fabric lets no update change."""
        for name in ("Orderer", "Application"):
            before = self.config.channel_group.groups[name].groups
            after = new.config.channel_group.groups[name].groups
            for organization in set(before) & set(after):
                ids = {_mspid(groups[organization]) for groups in (before, after)}
                require(len(ids) == 1, f"organization {organization} changed its MSP id")


def _mspid(group) -> str:
    return Membership(_values(group, MSP_VALUE, strict=False)["MSP"]).mspid


def _values(group, kinds: dict, *, strict: bool = True) -> dict:
    """Every value decoded; one Fabric does not know at this place is refused."""
    found = {name: kind() for name, kind in kinds.items()}
    for name, value in group.values.items():
        if name in kinds:
            found[name] = kinds[name].FromString(value.value)
        elif strict:
            raise Refused(f"unexpected key {name}")
    return found


def _check_capabilities(place: str, values: dict) -> None:
    named = set(values["Capabilities"].capabilities)
    unknown = named - KNOWN_CAPABILITIES[place]
    require(named, f"{place}: no capabilities")
    require(not unknown, f"{place}: unsupported capabilities {sorted(unknown)}")


def _check_names(group) -> None:
    for names in (group.groups, group.values, group.policies):
        for name in names:
            require(CONFIG_ID.fullmatch(name), f"config id {name!r}")
    for child in group.groups.values():
        _check_names(child)
