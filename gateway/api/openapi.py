"""`python -m gateway.api.openapi` writes `openapi.json` and the table of calls in docs/api.md."""

import json
from pathlib import Path

from gateway.api.described_app import DescribedApp
from gateway.api.routes import API_VERSION, DESCRIPTION, TITLE, add_api_routes

FILE = Path(__file__).parent / "openapi.json"
MANUAL = Path(__file__).parents[2] / "docs" / "api.md"
TABLE_HEAD = "| method | path | what it does |\n|---|---|---|\n"


def openapi_text() -> str:
    """The description as stored: sorted and indented, so that a change is a readable diff."""
    app = add_api_routes(DescribedApp(title=TITLE, version=API_VERSION, description=DESCRIPTION))
    return json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"


def table_of_calls(description: str) -> str:
    """A row per call: the first sentence of what it does."""
    rows = [
        f"| `{method.upper()}` | `{path}` | {_first_sentence(call.get('description', ''))} |\n"
        for path, calls in json.loads(description)["paths"].items()
        for method, call in calls.items()
    ]
    return "".join(rows)


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".")


if __name__ == "__main__":
    FILE.write_text(openapi_text(), encoding="utf-8")
    before, _, _ = MANUAL.read_text(encoding="utf-8").partition(TABLE_HEAD)
    MANUAL.write_text(before + TABLE_HEAD + table_of_calls(openapi_text()), encoding="utf-8")
