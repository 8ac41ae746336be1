"""A gateway over a really sealed ledger, for receipts."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page

from gateway.application import create_app
from gateway.identity.sessions import Viewer
from gateway.readmodel.projector import Projector
from gateway.readmodel.queries import ReadModel
from gateway.services import Services
from tests.support.gateway_database import fresh_database
from tests.support.ledger_world import CHAINCODE
from tests.support.receipt_world import ReceiptWorld
from tests.unit.gateway.ledger_double import LedgerDouble, services_over
from tests.unit.gateway.serving import serve

START_TIMEOUT_S = 60


def services_of(world: ReceiptWorld) -> Services:
    """All blocks of the world in a read model."""
    services = services_over(
        LedgerDouble(lambda function, args: {}), readmodel=ReadModel(fresh_database(), CHAINCODE)
    )
    projector = Projector(services.readmodel.database, CHAINCODE)
    projector.prepare()
    for number in range(world.store.height()):
        projector.apply(world.block(number))
    return services


@contextmanager
def served(services: Services) -> Iterator[str]:
    """The gateway on a socket, in a thread of its own; yields its address."""
    started, address, ends = threading.Event(), [""], []

    async def run() -> None:
        ends.append((asyncio.get_running_loop(), asyncio.Event()))
        async with serve(create_app(services)) as url:
            address[0] = url
            started.set()
            await ends[0][1].wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert started.wait(START_TIMEOUT_S)
    try:
        yield address[0]
    finally:
        loop, end = ends[0]
        loop.call_soon_threadsafe(end.set)
        thread.join()


def sign_in(services: Services, page: Page, url: str, viewer: Viewer) -> None:
    """Open a login link."""
    token = f"link-of-{viewer.idgrid}-{id(page)}"
    services.sessions.add_link(token, viewer)
    page.goto(f"{url}/login/{token}")
