"""How a run tells whoever watches it, if anybody does, where it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ingestion.reading import Progress


class Listener:
    """Somebody who watches a run from within its process. This one does not care."""

    def reading(self, progress: Progress) -> None:
        """So many rows of a resource have been read."""

    def transforming(self, done: int, total: int) -> None:
        """So many of the nodes of the dbt project are done."""

    def publishing(self) -> None:
        """The readers' file is being written."""


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def listener() -> Listener:
    """Who watches this run."""
    return _listener.get() or Listener()


@contextmanager
def watched_by(watcher: Listener) -> Iterator[None]:
    """Runs inside are told to `watcher`."""
    token = _listener.set(watcher)
    try:
        yield
    finally:
        _listener.reset(token)
