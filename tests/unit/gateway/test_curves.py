"""The step curves and the price chart: right corners, well-formed, readable by everyone."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.curves import Clearing, Step, curves_svg, demand_points, supply_points
from gateway.web.languages import language
from gateway.web.price_chart import PricedHour, price_chart_svg

ENGLISH = language("en")
SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))


def test_supply_rises_and_demand_falls_in_steps():
    offers = [Step(300, 10), Step(100, 20)]
    bids = [Step(50, 5), Step(400, 7)]
    assert supply_points(offers) == [(0, 100), (20, 100), (20, 300), (30, 300)]
    assert demand_points(bids) == [(0, 400), (7, 400), (7, 50), (12, 50), (12, 0)]
    assert supply_points([]) == demand_points([]) == []


@pytest.mark.row("E044")
def test_the_picture_has_words_for_those_who_cannot_see_it():
    svg = parsed(
        curves_svg(
            offers=[Step(100_000, 2_000)],
            bids=[Step(200_000, 1_500)],
            clearing=Clearing(150_000, 1_500),
            title="Supply <&> demand",
            words=ENGLISH,
        )
    )
    assert svg.get("role") == "img"
    assert svg.find(f"{SVG}title").text == "Supply <&> demand"
    assert "Offers: 1 of 2.00 kWh" in svg.find(f"{SVG}desc").text
    assert "cross at 1.50 kWh and 0.150" in svg.find(f"{SVG}desc").text
    assert len(svg.findall(f"{SVG}polyline")) == 2
    assert svg.find(f"{SVG}circle") is not None


@pytest.mark.parametrize(("code", "told"), [("en", "at"), ("es", "a"), ("pt", "a")])
def test_the_price_in_the_picture_is_told_in_the_reader_s_language(code, told):
    words = language(code)
    clearing = Clearing(150_000, 1_500)
    svg = curves_svg(offers=[], bids=[], clearing=clearing, title="t", words=words)
    assert f"{words.kwh(1_500)} kWh {told} {words.tokens(150_000, 3)}" in svg


def test_an_empty_book_says_so():
    svg = parsed(curves_svg(offers=[], bids=[], clearing=None, title="t", words=ENGLISH))
    assert svg.findall(f"{SVG}polyline") == []
    [said] = [text for text in svg.findall(f"{SVG}text") if text.get("class") == "empty"]
    assert said.text == "no orders yet"
    lines = [float(str(line.get("y1"))) for line in svg.findall(f"{SVG}line")]
    assert min(abs(float(str(said.get("y"))) - y) for y in lines) > 20
    ticks = [text.text for text in svg.findall(f"{SVG}text") if "tick" in str(text.get("class"))]
    assert ticks == []


STEPS = st.lists(st.builds(Step, st.integers(0, 10**9), st.integers(1, 10**7)), max_size=30)


@given(STEPS, STEPS)
def test_every_curve_stays_inside_the_frame(offers, bids):
    svg = parsed(curves_svg(offers=offers, bids=bids, clearing=None, title="t", words=ENGLISH))
    _, _, width, height = map(float, svg.get("viewBox").split())
    for line in svg.findall(f"{SVG}polyline"):
        for point in line.get("points").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height


def test_hours_without_a_price_leave_a_gap():
    hours = [
        PricedHour("13:00", 150_000, 80_000, 220_000),
        PricedHour("14:00", None, 80_000, 220_000),
    ]
    svg = parsed(price_chart_svg(hours, ENGLISH))
    steps = [line for line in svg.findall(f"{SVG}line") if line.get("class") == "price-step"]
    assert len(steps) == 1
    assert len(svg.findall(f"{SVG}rect")) == 2
    assert parsed(price_chart_svg([], ENGLISH)) is not None
