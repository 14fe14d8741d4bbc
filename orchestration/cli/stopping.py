"""Ctrl-C, SIGTERM or a terminal that is closed end a run within seconds, whatever it waits for.

Each of them first ends what can be ended in good order, as Dagster does with its run. Where that takes too long, such
as behind a thread that waits for an API, the process ends: a run can be killed at any moment.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_CODE = 130
_SECONDS_TO_UNWIND = 3
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody asked for the end of a run. Not a failure, and nothing to catch on the way."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"Stopped as asked ({signal.Signals(number).name}): what was loaded is kept; the next run goes on there."
        )


@contextmanager
def stoppable() -> Iterator[None]:
    """Raises `Stopped` in place of whatever the block raises once it was asked to end, or ends the process."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    # What is ignored stays so, as under nohup.
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Standard error may lead elsewhere while the block runs.
    terminal = os.dup(2)
    asked: list[int] = []
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(reader, terminal, asked, ended), daemon=True)
    # Dagster puts handlers of its own in the place of ours; this is written to whatever the handler does.
    earlier = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def end(number: int, _: object) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    for number in heard:
        signal.signal(number, end)
    watch.start()
    try:
        yield
    except BaseException:
        if asked:
            raise Stopped(asked[0]) from None
        raise
    finally:
        ended.set()
        for number in heard:
            signal.signal(number, before[number])
        signal.set_wakeup_fd(earlier)
        os.close(writer)
        watch.join()
        os.close(reader)
        os.close(terminal)


def _watch(reader: int, terminal: int, asked: list[int], ended: threading.Event) -> None:
    while number := os.read(reader, 1):
        if number[0] in _SIGNALS and not ended.is_set():
            asked.append(number[0])
            if not ended.wait(_SECONDS_TO_UNWIND):
                os.write(terminal, f"Error: {Stopped(number[0])}\n".encode())
                os._exit(EXIT_CODE)
