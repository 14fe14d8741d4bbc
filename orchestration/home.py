"""Where Dagster keeps its state."""

import os
from pathlib import Path

VARIABLE = "DAGSTER_HOME"


def home() -> Path:
    """The folder that the environment names, else `data/dagster`."""
    return Path(os.environ.get(VARIABLE) or "data/dagster").expanduser().absolute()
