"""Loops that end when they are told to, although a library may swallow it."""

import asyncio


def end_if_cancelled() -> None:
    """Raise `CancelledError` in a task that was cancelled and did not hear of it.

    Python 3.11's `asyncio.wait_for`, which MQTT and mail libraries use, ends with its result when
    the cancellation comes at the moment of it. A loop for ever calls this once a round.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
