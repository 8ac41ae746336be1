"""The three languages of the pages: which one a reader gets, its words, numbers and dates.

A reader's choice (cookie) comes first, then what the browser asks for (`Accept-Language`), then
English. Words are GNU gettext catalogues, `locales/<code>/messages.po`, read at the start;
`python -m gateway.web.messages` keeps them in step with the texts in templates and code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from chaincode.energy.hours import HOUR_MS, delivery_hour_ms
from gateway.local_time import LocalTime

LOCALES_FOLDER = Path(__file__).parent / "locales"
SOURCE_CODE = "en"
LOCALE_NAMES: Mapping[str, str] = {"es": "es_CL", "pt": "pt_PT", "en": "en_GB"}
NAMES: Mapping[str, str] = {"es": "Español", "pt": "Português", "en": "English"}
"""Each language by its own name, for the choice at the foot of a page."""
ACCEPT_LANGUAGE_CHARACTERS_MAX = 200
WH_PER_KWH = 1_000
UTOKEN_PER_TOKEN = 1_000_000
TYPED_DIGITS = 6
NOTHING = "–"


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Marks a text that is translated where it is shown."""
    return message


@dataclass(frozen=True, slots=True)
class Language:
    """Words, numbers and dates of one language. Times are the community's local time."""

    code: str
    locale: Locale
    words: NullTranslations

    @property
    def tag(self) -> str:
        """BCP 47, for `lang` and the browser's own formats."""
        return "en" if self.code == SOURCE_CODE else str(self.locale).replace("_", "-")

    def text(self, message: str) -> str:
        """A message in this language."""
        return self.words.gettext(message)

    def number(self, value: Decimal | int, places: int) -> str:
        """A decimal with exactly so many places."""
        form = "#,##0." + "0" * places if places else "#,##0"
        return numbers.format_decimal(value, format=form, locale=self.locale)

    def tokens(self, utoken: int | None, places: int = 2) -> str:
        """Micro-tokens as tokens, `–` for nothing."""
        return (
            NOTHING if utoken is None else self.number(Decimal(utoken) / UTOKEN_PER_TOKEN, places)
        )

    def typed(self, units: int | None, per: int) -> str:
        """An amount in an input field, as people type it: exact, and without grouping."""
        if units is None:
            return ""
        return numbers.format_decimal(
            Decimal(units) / per, format="0." + "#" * TYPED_DIGITS, locale=self.locale
        )

    def kwh(self, energy_wh: int | None, places: int = 2) -> str:
        """Wh as kWh, `–` for nothing."""
        return (
            NOTHING if energy_wh is None else self.number(Decimal(energy_wh) / WH_PER_KWH, places)
        )

    def kw(self, power_w: int | None) -> str:
        """W as kW, `–` for nothing."""
        return NOTHING if power_w is None else self.number(Decimal(power_w) / WH_PER_KWH, 2)

    def hour(self, listing_id: str, local: LocalTime) -> str:
        """`2016-08-01T20` -> `1 Aug 13:00` in local time."""
        start = local_start(listing_id, local)
        return f"{self.day(start)} {self.clock(start)}"

    def span(self, listing_id: str, local: LocalTime) -> str:
        """`2016-08-01T20` -> `13:00–14:00` in local time."""
        start_ms = delivery_hour_ms(listing_id)
        start, end = local.moment(start_ms), local.moment(start_ms + HOUR_MS)
        return f"{self.clock(start)}–{self.clock(end)}"

    def day(self, moment: datetime) -> str:
        """Day and short month."""
        return dates.format_datetime(moment, "d MMM", locale=self.locale)

    def month(self, moment: datetime) -> str:
        """Month and year."""
        return dates.format_datetime(moment, "LLLL y", locale=self.locale)

    def clock(self, moment: datetime) -> str:
        """Hours and minutes."""
        return dates.format_datetime(moment, "HH:mm", locale=self.locale)

    def instant(self, at_ms: int, local: LocalTime, now_ms: int | None = None) -> str:
        """Day and time of a real instant, local; with its year if that is not the one of now."""
        moment = local.moment(at_ms)
        is_this_year = now_ms is None or moment.year == local.moment(now_ms).year
        day = dates.format_datetime(
            moment, "d MMM" if is_this_year else "d MMM y", locale=self.locale
        )
        return f"{day} {dates.format_datetime(moment, 'HH:mm:ss', locale=self.locale)}"


def local_start(listing_id: str, local: LocalTime) -> datetime:
    """When an hour begins, as the community's clocks show it."""
    return local.moment(delivery_hour_ms(listing_id))


@cache
def language(code: str) -> Language:
    """One of the three; `KeyError` for another code."""
    locale = Locale.parse(LOCALE_NAMES[code])
    return Language(code=code, locale=locale, words=_words(code))


def chosen_language(preferred: str | None, accept_language: str | None) -> Language:
    """The language of a reader: chosen, else asked for by the browser, else English."""
    if preferred in LOCALE_NAMES:
        return language(preferred)
    for code in accepted_codes(accept_language or ""):
        if code in LOCALE_NAMES:
            return language(code)
    return language(SOURCE_CODE)


def accepted_codes(header: str) -> list[str]:
    """Primary language codes of an `Accept-Language`, the most wanted first."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:ACCEPT_LANGUAGE_CHARACTERS_MAX].split(",")):
        tag, _, parameters = part.strip().partition(";")
        weight = _weight(parameters)
        if tag and weight > 0:
            wanted.append((-weight, place, tag.partition("-")[0].lower()))
    return [code for _, _, code in sorted(wanted)]


def _weight(parameters: str) -> float:
    """`q=0.8` -> 0.8; nothing said is 1, nonsense is 0."""
    name, _, value = parameters.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip() == "q" and 0 <= weight <= 1 else 0.0


def _words(code: str) -> NullTranslations:
    if code == SOURCE_CODE:
        return NullTranslations()
    with (LOCALES_FOLDER / code / "messages.po").open("rb") as file:
        catalog = read_po(file, locale=LOCALE_NAMES[code])
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return GNUTranslations(compiled)
