"""Runs go one after the other, whoever starts them: each takes the warehouse's turn first and keeps it to its end.

The turn is a lock on a file, which the operating system takes back when its process ends, however it ends. Dagster's
queue knows only the runs that it launches itself, and its pools let the steps of two runs alternate.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from ingestion.errors import TieoutError, WarehouseUnusable
from ingestion.settings import Settings
from ingestion.warehouse import CORRECT_RIGHTS

_SECONDS_BETWEEN_LOOKS = 0.5


class RunInProgress(TieoutError):
    """Another run works on the warehouse."""

    def __init__(self) -> None:
        super().__init__("Another run is in progress: leave out --no-wait to wait for it, or terminate it (make dev).")


@contextmanager
def taken(settings: Settings, *, on_wait: Callable[[], None], wait: bool = True) -> Iterator[None]:
    """The turn, for the length of the block; again at once for a process that has it.

    `on_wait` is called once when another run has it. Raises `RunInProgress` instead where nobody wants to wait.
    """
    path = settings.state_path / "run.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        turn = FileLock(path, is_singleton=True, thread_local=False)
        try:
            turn.acquire(timeout=0)
        except Timeout:
            if not wait:
                raise RunInProgress from None
            on_wait()
            turn.acquire(poll_interval=_SECONDS_BETWEEN_LOOKS)
    except OSError as error:
        raise WarehouseUnusable(settings.warehouse_path, f"{error.strerror}: {path}", CORRECT_RIGHTS) from None
    try:
        yield
    finally:
        turn.release()
