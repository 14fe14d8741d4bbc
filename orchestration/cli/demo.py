"""`tieout demo`: the whole, against a simulated organization."""

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ingestion.environment import ENV_FILE
from ingestion.settings import Settings, load_settings, misspelled
from orchestration.cli.alerting import RunFailed
from orchestration.cli.run import execute_shown
from orchestration.cli.summary import show
from orchestration.cli.terminal import terminal
from orchestration.home import DEMO, DEMO_FILE, VARIABLE

_HOURS_BETWEEN_RUNS = 30


def demo(seed: Annotated[int, typer.Option(help="The same seed makes the same organization.")] = 1) -> None:
    """Reconcile a simulated organization twice, 30 hours apart, and print the summary."""
    from ingestion.sandbox import running

    console = terminal()
    folder, published = DEMO.absolute(), DEMO_FILE.absolute()
    _leave_the_users_settings(folder)
    # Its runs are no runs of the user's organization, whose UI and alerts go by the runs of their own home.
    os.environ[VARIABLE] = str(folder / "dagster")
    with running(seed=seed, scale="small") as organization:
        settings = _point_at(organization.env(), folder, published)
        _remove_last_demo(settings)
        console.print(Text.assemble(("First run", "bold"), ": everything is new"))
        _reconcile(settings)
        organization.advance(hours=_HOURS_BETWEEN_RUNS)
        settings = _point_at(organization.env(), folder, published)
        console.print(Text.assemble(("Second run", "bold"), f": {_HOURS_BETWEEN_RUNS} hours later"))
        _reconcile(settings)
    show(settings.published_path, console)
    console.print(
        Text("\nWhere to look next", "bold"),
        f"""\
  (cd {DEMO} && DAGSTER_HOME=dagster ../../.venv/bin/tieout dev)
             the runs, the lineage and the checks, in the Dagster UI
  docs/      what the tables mean, and how to run it for your organization
  {DEMO_FILE}
             these tables and all others, for every tool that opens DuckDB files, such as
             .venv/bin/python -c "import duckdb; duckdb.connect('{DEMO_FILE}').sql('from marts.recon_donors').show()"
""",
        sep="\n",
        soft_wrap=True,
    )


def _leave_the_users_settings(folder: Path) -> None:
    for name in (*map(str.upper, Settings.model_fields), *misspelled()):
        os.environ.pop(name, None)
    folder.mkdir(parents=True, exist_ok=True)
    # Settings are also read from .env in the current folder.
    os.chdir(folder)
    # For whoever looks at the demo from there.
    Path(ENV_FILE).write_text("WAREHOUSE_PATH=warehouse.duckdb\nPUBLISHED_PATH=published/tieout.duckdb\n")


def _point_at(environment: dict[str, str], folder: Path, published: Path) -> Settings:
    os.environ.update(environment, WAREHOUSE_PATH=str(folder / "warehouse.duckdb"), PUBLISHED_PATH=str(published))
    return load_settings()


def _remove_last_demo(settings: Settings) -> None:
    for file in settings.warehouse_path.parent.glob(f"{settings.warehouse_path.name}*"):
        file.unlink()
    settings.published_path.unlink(missing_ok=True)
    # dbt's state depends on its project alone, and costs seconds to make again.
    shutil.rmtree(settings.state_path / "dlt", ignore_errors=True)


def _reconcile(settings: Settings) -> None:
    if errors := execute_shown(settings):
        raise RunFailed(" ".join(errors))
