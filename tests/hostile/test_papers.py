"""Texts that would be more than text, in the files that leave the gateway."""

import csv
import io
import re
import zlib
from base64 import a85decode

import pytest

from gateway.statements.grid_exports import _FORMULA, _csv
from gateway.statements.statement_files import as_pdf
from tests.unit.energy.community import Community, refuses
from tests.unit.gateway.api_world import World
from tests.unit.gateway.test_settlements import MONTH, over, settled_hour

MARKUP = '<img src="file:///etc/passwd"/><b>Sun & co</b>'
STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)


def test_markup_in_a_name_is_printed_in_a_statement_as_it_is():
    community, seller, _ = settled_hour()

    async def scene(world: World) -> None:
        month = world.services.settlements.month(seller, MONTH)
        printed = text_of(as_pdf(month, MARKUP, world.services.local_time))
        assert MARKUP.replace(" ", "") in printed.replace(" ", "")

    over(community, scene)


def text_of(pdf: bytes) -> str:
    """What its pages show."""
    assert b"/Subtype /Image" not in pdf
    streams = [
        zlib.decompress(a85decode(b"<~" + raw.strip(), adobe=True)) for raw in STREAM.findall(pdf)
    ]
    shown = re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", b"".join(streams))
    return b" ".join(shown).decode("latin-1").replace("\\", "")


@pytest.mark.parametrize("first", _FORMULA)
def test_no_name_and_no_cell_is_a_formula(first):
    formula = f'{first}HYPERLINK("http://example.org")'
    community = Community.found()
    home = community.join()
    key = home.meter.public_key.hex()
    meter = ("registry:register_meter", formula, home.idgrid, key)
    assert refuses(community, "INVALID_ARGUMENT", community.manager, *meter).status == 422
    source = ("registry:register_res", formula, home.idgrid, "solar", 1000)
    assert refuses(community, "INVALID_ARGUMENT", home.client, *source).status == 422
    (_, (cell,)) = csv.reader(io.StringIO(_csv(("name",), [[formula]]), newline=""))
    assert cell == f"'{formula}"
