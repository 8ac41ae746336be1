"""What an enrolment letter carries: a link whose code no server logs, as text and QR code."""

import io

import segno
from fastapi import Request

QR_BORDER = 2


def letter_url(request: Request, code: str) -> str:
    """The address to open; the code stands behind `#`, which browsers do not send."""
    return f"{request.url.scheme}://{request.url.netloc}/enrol#{code}"


def qr_code_svg(text: str) -> str:
    """An `<svg>` element without styles, for a page with a strict policy."""
    out = io.BytesIO()
    segno.make(text, error="m").save(
        out,
        kind="svg",
        omitsize=True,
        border=QR_BORDER,
        xmldecl=False,
        svgns=True,
        light="white",
        title="QR code of the enrolment link",
        svgclass="qr",
        lineclass=None,
    )
    return out.getvalue().decode("utf-8")
