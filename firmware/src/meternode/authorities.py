"""The certificates a node trusts: DER, one after the other in `ca.der`.

DER, because boards are built without a PEM parser.
"""


def certificates(content):
    """Each certificate of a file; `ValueError` when it is none."""
    at = 0
    while at < len(content):
        if len(content) < at + 4 or content[at : at + 2] != b"\x30\x82":
            raise ValueError("ca.der is not a row of certificates in DER")
        end = at + 4 + int.from_bytes(content[at + 2 : at + 4], "big")
        if end > len(content):
            raise ValueError("the last certificate of ca.der is cut off")
        yield content[at:end]
        at = end


def client_context(ssl, content):
    """A TLS context that trusts these and nothing else; `ssl` is the port's module.

    Make it once, at the start: it is large, and a heap in use for weeks has no room in one piece.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    for certificate in certificates(content):
        context.load_verify_locations(cadata=certificate)
    return context
