"""Four members' peers with private data, for every test here."""

import pytest

from tests.support.private_stage import PrivateStage


@pytest.fixture
async def stage():
    made = PrivateStage()
    yield made
    made.close()
