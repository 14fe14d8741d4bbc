"""Runs a command of a package in a process that ends with the one that started it, however that one ends.

`python -P -m orchestration.tethered PACKAGE.MODULE:FUNCTION ARGUMENTS…`. A process that is killed cannot stop its
children: dbt would go on by itself and keep the warehouse. Linux has a signal for that, which comes when the *thread*
ends that started the child, and macOS has none: so the child looks whose child it is.
"""

import os
import re
import signal
import sys
import threading
import time
from importlib.metadata import EntryPoint

PARENT = "TIEOUT_PARENT"
_SECONDS_BETWEEN_LOOKS = 0.2


def command(entry_point: str) -> list[str]:
    """What comes before the arguments. To be started with `environment`."""
    # Without -P the folder that it is started in could hold modules of the same names.
    return [sys.executable, "-P", "-m", __name__, entry_point]


def tie() -> dict[str, str]:
    """By which the child knows this process. It may be gone before the child can look."""
    return {PARENT: str(os.getpid())}


def environment(*others: str) -> dict[str, str]:
    """Of the variables of this process those that a program needs, and `others`; and the tie.

    Credentials are no child's business that does not read the APIs: whoever may look at its process sees them.
    """
    return {name: value for name, value in os.environ.items() if _is_needed(name) or name in others} | tie()


# What a user sets for the system, for Python and for dbt; none of it is a setting of ours.
_NEEDED = re.compile(
    "PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|TMPDIR|TMP|TEMP|XDG_[A-Z_]+|LD_LIBRARY_PATH"
    "|DYLD_[A-Z_]+|SYSTEMROOT|PYTHON[A-Z]+|DBT_[A-Z_]+|DO_NOT_TRACK|NO_COLOR"
)


def _is_needed(name: str) -> bool:
    return bool(_NEEDED.fullmatch(name))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    # Nothing is to be put in order: whatever runs here can be killed at any moment.
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    parent = int(os.environ.pop(PARENT))
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    entry_point = sys.argv[1]
    sys.argv = [entry_point.partition(".")[0], *sys.argv[2:]]
    sys.exit(EntryPoint("command", entry_point, "").load()())


if __name__ == "__main__":
    main()
