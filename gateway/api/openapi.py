"""`python -m gateway.api.openapi` writes `openapi.json`, the API's checked-in description."""

import json
from pathlib import Path

from fastapi import FastAPI

from gateway.api.routes import API_VERSION, DESCRIPTION, TITLE, add_api_routes

FILE = Path(__file__).parent / "openapi.json"


def openapi_text() -> str:
    """The description as stored: sorted and indented, so that a change is a readable diff."""
    app = add_api_routes(FastAPI(title=TITLE, version=API_VERSION, description=DESCRIPTION))
    return json.dumps(app.openapi(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(openapi_text(), encoding="utf-8")
