"""Updates of nodes on their way: the signed manifests a gateway keeps, retained, on `ota`.

The gateway signs nothing: a node checks the manifest with the community's update key
(firmware/release.py makes it, docs/hardware.md).
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiomqtt

from gateway.mqtt.broker_link import AT_LEAST_ONCE
from gateway.mqtt.topics import UPDATE, Topic

MANIFEST_BYTES_MAX = 1_024
"""As a node reads it."""

logger = logging.getLogger(__name__)


async def offer_updates(
    client: aiomqtt.Client, community: str, manifests: Mapping[str, Path]
) -> None:
    """Publish each node's manifest, read anew; raises `aiomqtt.MqttError`."""
    for topic, manifest in await asyncio.to_thread(list, update_messages(community, manifests)):
        await client.publish(topic, manifest, AT_LEAST_ONCE, retain=True)


def update_messages(community: str, manifests: Mapping[str, Path]) -> Iterator[tuple[str, bytes]]:
    """Topic and payload for each device with a manifest; a file that is none is logged."""
    for device_id, path in manifests.items():
        try:
            content = path.read_bytes()
        except OSError as error:
            logger.warning("no update for %s: %s: %s", device_id, path, error.strerror)
            continue
        if not 0 < len(content) <= MANIFEST_BYTES_MAX:
            logger.warning("no update for %s: %s is no manifest", device_id, path)
            continue
        yield str(Topic(community, device_id, UPDATE)), content
