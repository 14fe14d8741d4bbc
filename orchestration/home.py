"""Where Dagster keeps its state, and the demo its files."""

import os
from pathlib import Path

VARIABLE = "DAGSTER_HOME"

DEMO = Path("data/demo")
"""The folder of the demo's files, Dagster's included."""
DEMO_FILE = DEMO / "published" / "tieout.duckdb"


def home() -> Path:
    """The folder that the environment names, else `data/dagster`."""
    return Path(os.environ.get(VARIABLE) or "data/dagster").expanduser().absolute()
