"""Every text a person reads on a page is marked, and is there in all languages."""

import re
from html.parser import HTMLParser

import pytest
from jinja2 import Environment

from gateway.web import messages
from gateway.web.messages import TRANSLATED
from tests.architecture.source_files import repository_files, text_of

TEMPLATES = [
    path
    for path in repository_files()
    if path.startswith("gateway/web/templates/") and path.endswith(".html")
]
OWN_SCRIPTS = [
    path
    for path in repository_files()
    if path.startswith("gateway/web/static/") and path.endswith(".js") and "/vendor/" not in path
]
READ_ALOUD = {"aria-label", "title", "alt", "placeholder", "label", "content", "data-hint"}
NOT_READ = {("meta", "content")}
SAME_EVERYWHERE = {"kWh", "kW", "V", "h", "B", "ID", "IDgrid"}
SAME_EVERYWHERE |= {"PDF", "CSV", "API", "JSON", "QR", "UTC"}
"""Units and names that no language translates."""
WORD = re.compile(r"[^\W\d_]{1,}")
PLACEHOLDER = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
TEXT_IN_SCRIPT = re.compile(r"\b(?:textContent|innerText|title|placeholder)\s*=\s*([\"'`])(.*?)\1")
EXPRESSION = re.compile(r"\$\{.*?\}")


class BareTexts(HTMLParser):
    """Words that stand between tags or in attributes which are read to people."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in READ_ALOUD and (tag, name) not in NOT_READ and value:
                self.handle_data(value)

    def handle_data(self, data: str) -> None:
        self.found += [word for word in WORD.findall(data) if word not in SAME_EVERYWHERE]


def markup_of(template: str) -> str:
    """The template without its expressions and statements: what is written as it stands."""
    kept, depth = [], 0
    for _line, kind, value in Environment(autoescape=True).lex(template):
        if kind in ("variable_begin", "block_begin", "comment_begin"):
            depth += 1
        elif kind in ("variable_end", "block_end", "comment_end"):
            depth -= 1
            kept.append(" ")
        elif kind == "data" and not depth:
            kept.append(value)
    return "".join(kept)


def without_translated_blocks(template: str) -> str:
    return re.sub(r"{%-?\s*trans\b.*?endtrans\s*-?%}", " ", template, flags=re.DOTALL)


@pytest.mark.parametrize("path", TEMPLATES)
def test_no_template_has_a_text_that_is_not_marked(path: str) -> None:
    parser = BareTexts()
    parser.feed(markup_of(without_translated_blocks(text_of(path))))
    assert parser.found == []


@pytest.mark.parametrize("path", OWN_SCRIPTS)
def test_no_script_writes_a_text_of_its_own(path: str) -> None:
    written = [EXPRESSION.sub("", text) for _, text in TEXT_IN_SCRIPT.findall(text_of(path))]
    assert [text for text in written if WORD.search(text)] == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_no_text_is_untranslated(code: str) -> None:
    assert messages.untranslated(code) == [], "run: python -m gateway.web.messages, then translate"


@pytest.mark.parametrize("code", TRANSLATED)
def test_the_catalogue_is_as_the_command_writes_it(code: str) -> None:
    assert messages.catalog_file(code).read_bytes() == messages.updated(code)


@pytest.mark.parametrize("code", TRANSLATED)
def test_translations_have_the_same_places_for_values(code: str) -> None:
    for entry in messages.read_catalog(code):
        if entry.id:
            assert not entry.fuzzy
            assert places(str(entry.string)) == places(str(entry.id)), entry.id


def places(text: str) -> list[str]:
    return sorted(one or other for one, other in PLACEHOLDER.findall(text))


def test_the_check_of_templates_sees_bare_texts() -> None:
    parser = BareTexts()
    parser.feed(markup_of('<p title="Bare">{{ _("fine") }} {% if x %}seen{% endif %}</p>'))
    assert parser.found == ["Bare", "seen"]
