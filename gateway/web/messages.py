"""`python -m gateway.web.messages`: bring the catalogues in step with the texts of the pages.

Texts are what templates mark with `_("…")` and `{% trans %}`, what code marks with `N_("…")`, and
the sentences of problems and refusals. New texts get an empty translation, which a test refuses;
texts that are gone are dropped. The files are sorted and name no places in the source, so that two
people who add texts seldom meet in one line.
"""

import argparse
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from chaincode.energy.errors import Refusal
from gateway.errors import Problem
from gateway.web.languages import LOCALE_NAMES, LOCALES_FOLDER, SOURCE_CODE

WEB_FOLDER = Path(__file__).parent
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "N_": None,
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
}
HTML_OPTIONS = {"**.html": {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}}
HEAD = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    '"Language: {language}\\n"\n\n'
)
TRANSLATED = tuple(code for code in LOCALE_NAMES if code != SOURCE_CODE)


def all_messages() -> dict[str, str]:
    """Every text and, where a comment in the source explains it, that comment."""
    found = dict.fromkeys(_sentences(), "")
    extracted = extract_from_dir(
        WEB_FOLDER, METHODS, HTML_OPTIONS, keywords=KEYWORDS, comment_tags=("For translators:",)
    )
    for _file, _line, message, comments, _context in extracted:
        if isinstance(message, str) and message:
            found[message] = " ".join(comments)
    return found


def catalog_file(code: str) -> Path:
    """Where a language's texts are."""
    return LOCALES_FOLDER / code / "messages.po"


def read_catalog(code: str) -> Catalog:
    """A language's texts; empty if there is no file yet."""
    path = catalog_file(code)
    if not path.exists():
        return Catalog(locale=LOCALE_NAMES[code], fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=LOCALE_NAMES[code])


def updated(code: str) -> bytes:
    """The file as it should be: every text there is now, with the translations known so far."""
    known = read_catalog(code)
    catalog = Catalog(locale=LOCALE_NAMES[code], project="gridledger", fuzzy=False)
    for message, comment in sorted(all_messages().items()):
        entry = known.get(message)
        catalog.add(
            message,
            entry.string if entry is not None else "",
            auto_comments=[comment] if comment else [],
        )
    out = BytesIO()
    write_po(out, catalog, omit_header=True, width=0, sort_output=True)
    return HEAD.format(language=LOCALE_NAMES[code]).encode() + out.getvalue()


def untranslated(code: str) -> list[str]:
    """Texts without a translation."""
    catalog = read_catalog(code)
    return [
        message
        for message in all_messages()
        if (entry := catalog.get(message)) is None or not entry.string
    ]


def _sentences() -> Iterator[str]:
    for problem in Problem:
        yield problem.value.title
        yield problem.value.advice
    for refusal in Refusal:
        yield refusal.text


def main() -> int:
    """Write both catalogues; 1 if a text has no translation."""
    argparse.ArgumentParser(
        prog="python -m gateway.web.messages",
        description="Bring the catalogues of the pages in step with their texts.",
    ).parse_args()
    missing = 0
    for code in TRANSLATED:
        content = updated(code)
        catalog_file(code).write_bytes(content)
        texts = untranslated(code)
        missing += len(texts)
        sys.stdout.write(
            f"{code}: {len(all_messages())} texts, {len(texts)} without translation\n"
        )
        sys.stdout.writelines(f"  {text}\n" for text in texts)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
