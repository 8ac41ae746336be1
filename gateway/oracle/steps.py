"""The steps of an oracle's jobs, as its run log names them, and how one fails."""

STEPS = ("decode", "fetch", "parse", "check signature", "encode", "submit")
"""Those of the source document's job (002:426), and the check of what is signed."""
DECODE, FETCH, PARSE, CHECK_SIGNATURE, ENCODE, SUBMIT = STEPS
EXPIRE = "expire"


class JobFailed(Exception):  # noqa: N818 - an outcome of a job, not a fault of this process
    """A step did not work; `may_retry` tells whether trying again may help."""

    def __init__(self, step: str, detail: str, *, may_retry: bool) -> None:
        super().__init__(f"{step}: {detail}")
        self.step = step
        self.detail = detail
        self.may_retry = may_retry
