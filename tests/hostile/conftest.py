"""One event loop for all tests here: gRPC's poller is one for the process and outlives loops."""

import pytest


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="package", autouse=True)
async def one_loop(anyio_backend):
    yield  # noqa: PT022 - the loop lives as long as this
