"""How a household's device learns to trust this gateway: the authority's certificate, once.

`/trust` is part of the gateway. Whoever does not trust it yet reaches the same page on a second
port without HTTPS, which has nothing else. What is fetched there could have been changed on the
way: the page shows the certificate's fingerprint, to be compared with the one that
`gridledger cert tls` printed.
"""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from gateway.api.letters import qr_code_svg
from gateway.errors import Problem, RequestRefused
from gateway.web.templating import page

CA_MEDIA_TYPE = "application/x-x509-ca-cert"
CA_PATH = "/trust/ca.crt"

router = APIRouter(include_in_schema=False)


@router.get("/trust")
def trust(request: Request) -> HTMLResponse:
    """What to do on a phone or a computer, and what to compare."""
    address = f"{request.url.scheme}://{request.url.netloc}/trust"
    shown = fingerprint(_authority(request))
    return page(
        request, "keys/trust.html", fingerprint=shown, qr=qr_code_svg(address), address=address
    )


@router.get(CA_PATH)
def authority(request: Request) -> Response:
    """The authority's certificate, PEM."""
    return Response(_authority(request), media_type=CA_MEDIA_TYPE)


def fingerprint(certificate_pem: bytes) -> str:
    """SHA-256 of a certificate in groups of four, as devices show it."""
    digest = x509.load_pem_x509_certificate(certificate_pem).fingerprint(hashes.SHA256())
    return digest.hex(" ", 2).upper()


def _authority(request: Request) -> bytes:
    ca: Path | None = request.app.state.tls_ca
    if ca is None:
        raise RequestRefused(Problem.NOT_FOUND, "this gateway has no authority of its own")
    return ca.read_bytes()
