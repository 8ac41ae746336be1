"""Save a month's statement as CSV.

GRIDLEDGER_TOKEN=glt_... python statement_csv.py http://127.0.0.1:8080 FON-0001-5 2026-01
"""

import os
import sys
from http import HTTPStatus
from pathlib import Path

from gridledger_client import AuthenticatedClient
from gridledger_client.models import ProblemDocument


def main(url: str, idgrid: str, month: str) -> None:
    """The token needs the scope own:read."""
    client = AuthenticatedClient(base_url=url, token=os.environ["GRIDLEDGER_TOKEN"])
    # The client's own call gives the statement as an object; a file is fetched as it is.
    wanted = {"file": "csv", "idgrid": idgrid}
    answer = client.get_httpx_client().get(f"/v1/invoices/{month}", params=wanted)
    if answer.status_code != HTTPStatus.OK:
        problem = ProblemDocument.from_dict(answer.json())
        raise SystemExit(f"{problem.title}: {problem.detail}")
    file = Path(f"statement-{month}-{idgrid}.csv")
    file.write_bytes(answer.content)
    print(f"{file}: {len(answer.content.splitlines()) - 1} lines")


if __name__ == "__main__":
    main(*sys.argv[1:])
