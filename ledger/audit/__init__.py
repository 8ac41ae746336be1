"""A second reading of the ledger's bytes, for those who trust no peer's own word.

Nothing here is used to make or commit a block, and nothing of consensus, validation or storage is
used here: an error in one is not repeated in the other. Pure: bytes in, verdict out.
"""
