"""Writes a channel configuration as Fabric's config envelope; equal configurations, equal bytes.

Group tree: Channel { Orderer { members }, Application { members } }; who may change a value is
named by its group's Admins policy.
"""

from google.protobuf.message import Message

from ledger.model.codec_header import encode_channel_header, encode_signature_header
from ledger.model.codes import HeaderType
from ledger.model.config import APPLICATION, CHANNEL, ORDERER, ChannelConfig, MemberConfig
from ledger.model.policy_codec import wire_policy
from ledger.wire import common_pb2, consensus_pb2, msp_pb2, orderer_pb2, protos_pb2

CONSENSUS_TYPE = "BFT"
HASHING_ALGORITHM = "SHA256"
FLAT_HASH_WIDTH = 2**32 - 1
MOD_POLICY = "Admins"
NODE_OUS = ("client", "peer", "admin", "orderer")


def encode_config_envelope(config: ChannelConfig, *, timestamp_ns: int, nonce: bytes) -> bytes:
    """An unsigned CONFIG envelope without a creator, as the genesis block carries it."""
    payload = common_pb2.Payload(
        header=common_pb2.Header(
            channel_header=encode_channel_header(
                header_type=HeaderType.CONFIG,
                channel_id=config.channel_id,
                timestamp_ns=timestamp_ns,
            ),
            signature_header=encode_signature_header(b"", nonce),
        ),
        data=encode_config(config),
    )
    return common_pb2.Envelope(payload=_bytes(payload)).SerializeToString(deterministic=True)


def encode_config(config: ChannelConfig) -> bytes:
    """ConfigEnvelope bytes: the whole configuration and no update that led to it."""
    envelope = common_pb2.ConfigEnvelope(
        config=common_pb2.Config(sequence=config.sequence, channel_group=_channel_group(config))
    )
    return _bytes(envelope)


def _channel_group(config: ChannelConfig) -> common_pb2.ConfigGroup:
    group = _group(
        config,
        CHANNEL,
        {
            "HashingAlgorithm": common_pb2.HashingAlgorithm(name=HASHING_ALGORITHM),
            "BlockDataHashingStructure": common_pb2.BlockDataHashingStructure(
                width=FLAT_HASH_WIDTH
            ),
            "Capabilities": _capabilities(config.channel_capabilities),
        },
    )
    group.groups["Orderer"].CopyFrom(_orderer_group(config))
    group.groups["Application"].CopyFrom(_application_group(config))
    return group


def _orderer_group(config: ChannelConfig) -> common_pb2.ConfigGroup:
    limits = config.batch_limits
    settings = consensus_pb2.OrderingSettings(
        network_id=config.network_id,
        block_interval_ms=config.block_interval_ms,
        removed_consenter_id=config.removed_consenter_id,
    )
    group = _group(
        config,
        ORDERER,
        {
            "ConsensusType": orderer_pb2.ConsensusType(
                type=CONSENSUS_TYPE, metadata=_bytes(settings)
            ),
            "BatchSize": orderer_pb2.BatchSize(
                max_message_count=limits.max_transactions,
                absolute_max_bytes=limits.absolute_max_bytes,
                preferred_max_bytes=limits.max_bytes,
            ),
            # Fabric refuses a timeout of zero; the exact interval is in OrderingSettings.
            "BatchTimeout": orderer_pb2.BatchTimeout(
                timeout=f"{max(config.block_interval_ms, 1)}ms"
            ),
            "Capabilities": _capabilities(config.orderer_capabilities),
            "Orderers": _orderers(config),
        },
    )
    for member in config.members:
        if member.in_orderer:
            values: dict[str, Message] = {"MSP": _msp(member)}
            if member.orderer_endpoints:
                values["Endpoints"] = common_pb2.OrdererAddresses(
                    addresses=member.orderer_endpoints
                )
            path = f"{ORDERER}/{member.mspid}"
            group.groups[member.mspid].CopyFrom(_group(config, path, values))
    return group


def _application_group(config: ChannelConfig) -> common_pb2.ConfigGroup:
    values: dict[str, Message] = {"Capabilities": _capabilities(config.application_capabilities)}
    if config.acls:
        values["ACLs"] = protos_pb2.ACLs(
            acls={
                resource: protos_pb2.APIResource(policy_ref=path)
                for resource, path in config.acls.items()
            }
        )
    group = _group(config, APPLICATION, values)
    for member in config.members:
        if member.in_application:
            values = {"MSP": _msp(member)}
            if member.anchor_peers:
                values["AnchorPeers"] = protos_pb2.AnchorPeers(
                    anchor_peers=[
                        protos_pb2.AnchorPeer(host=host, port=port)
                        for host, port in member.anchor_peers
                    ]
                )
            path = f"{APPLICATION}/{member.mspid}"
            group.groups[member.mspid].CopyFrom(_group(config, path, values))
    return group


def _group(config: ChannelConfig, path: str, values: dict[str, Message]) -> common_pb2.ConfigGroup:
    """A group with those values and the policies whose path is directly below it."""
    policies = {}
    for policy_path, policy in config.policies.items():
        parent, _, name = policy_path.rpartition("/")
        if parent == path:
            policies[name] = common_pb2.ConfigPolicy(
                policy=wire_policy(policy), mod_policy=MOD_POLICY
            )
    return common_pb2.ConfigGroup(
        values={
            name: common_pb2.ConfigValue(value=_bytes(value), mod_policy=MOD_POLICY)
            for name, value in values.items()
        },
        policies=policies,
        mod_policy=MOD_POLICY,
    )


def _msp(member: MemberConfig) -> msp_pb2.MSPConfig:
    """The member's rules; roles count for certificates issued below its first root."""
    client, peer, admin, orderer = (
        msp_pb2.FabricOUIdentifier(
            certificate=member.root_certs[0], organizational_unit_identifier=unit
        )
        for unit in NODE_OUS
    )
    msp = msp_pb2.FabricMSPConfig(
        name=member.mspid,
        root_certs=member.root_certs,
        intermediate_certs=member.intermediate_certs,
        revocation_list=member.revocation_lists,
        crypto_config=msp_pb2.FabricCryptoConfig(
            signature_hash_family="SHA2", identity_identifier_hash_function="SHA256"
        ),
        tls_root_certs=member.tls_root_certs,
        tls_intermediate_certs=member.tls_intermediate_certs,
        fabric_node_ous=msp_pb2.FabricNodeOUs(
            enable=True,
            client_ou_identifier=client,
            peer_ou_identifier=peer,
            admin_ou_identifier=admin,
            orderer_ou_identifier=orderer,
        ),
    )
    return msp_pb2.MSPConfig(type=0, config=_bytes(msp))


def _orderers(config: ChannelConfig) -> common_pb2.Orderers:
    return common_pb2.Orderers(
        consenter_mapping=[
            common_pb2.Consenter(
                id=consenter.consenter_id,
                host=consenter.host,
                port=consenter.port,
                msp_id=consenter.mspid,
                identity=consenter.identity_pem,
                client_tls_cert=consenter.client_tls_cert,
                server_tls_cert=consenter.server_tls_cert,
            )
            for consenter in config.consenters
        ]
    )


def _capabilities(names: tuple[str, ...]) -> common_pb2.Capabilities:
    return common_pb2.Capabilities(capabilities={name: common_pb2.Capability() for name in names})


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
