"""Many organizations in one run: what breaks one stops no other, and no row goes astray: `make organizations`.

All are served by one sandbox, each with a seed, credentials and ids of its own, and some are broken on purpose.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingestion.sandbox import IDS_OF_ONE, Handle, running_several

ROOT = Path(__file__).parents[1]
NOBODYS_IDS = 900_000_000
"""From here on: ids that the sandbox plants as names of records that are nowhere."""
_READ = re.compile(r"(?P<organization>\S+) (?P<source>raise|crm_plus) (?P<resource>\w+): ")

Environment = dict[str, str]


def _wrong_token(slug: str, _: Handle, environment: Environment) -> None:
    environment[f"{variable(slug)}_TOKEN"] = "wrong-token-marked"


def _no_secret(slug: str, _: Handle, environment: Environment) -> None:
    del environment[f"{variable(slug)}_KEY"]


def _hangs_up(_: str, sandbox: Handle, __: Environment) -> None:
    sandbox.set_faults(dropped_connections=1.0)


def _broken_json(_: str, sandbox: Handle, __: Environment) -> None:
    sandbox.set_faults(html_200=1.0)


BREAKS: Sequence[tuple[str, Callable[[str, Handle, Environment], None]]] = (
    ("wrong token", _wrong_token),
    ("no secret", _no_secret),
    ("hangs up", _hangs_up),
    ("broken JSON", _broken_json),
)
"""What can be wrong with an organization, and how it is made so."""


@dataclass
class Simulated:
    """What came of a run."""

    organizations: dict[str, Handle]
    broken: dict[str, str]
    folder: Path
    code: int = 0
    error: str = ""
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By organization, and of the parts of the run."""
    peak_megabytes: float = 0.0

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        return self.folder / "published.duckdb"

    @property
    def dagster_home(self) -> Path:
        return self.folder / "dagster"


def variable(slug: str) -> str:
    return slug.upper().replace("-", "_")


def write_settings(organizations: Mapping[str, Handle], folder: Path) -> Environment:
    """Writes the organizations file; returns the variables that name it and hold the secrets."""
    file, environment = folder / "organizations.toml", {"ORGANIZATIONS_FILE": str(folder / "organizations.toml")}
    tables = []
    for slug, sandbox in organizations.items():
        token, key = f"{variable(slug)}_TOKEN", f"{variable(slug)}_KEY"
        tables.append(
            f'[{slug}]\nraise_base_url = "{sandbox.raise_base_url}"\nraise_token_name = "{token}"\n'
            f'crm_plus_base_url = "{sandbox.crm_plus_base_url}"\ncrm_plus_key_name = "{key}"\n'
        )
        environment |= {token: sandbox.raise_token, key: sandbox.crm_plus_key}
        environment |= {"TIEOUT_NOW": sandbox.info["now"], "RAISE_REQUESTS_PER_SECOND": "0"}
    file.write_text("\n".join(tables))
    return environment


def strays(file: Path, owners: Sequence[str], schemas: Sequence[str]) -> dict[str, int]:
    """By table: rows that stand under one organization and hold an id of another one.

    `owners` are the organizations in the order in which the sandbox numbers them.
    """
    found: dict[str, int] = {}
    with duckdb.connect(str(file), read_only=True) as connection:
        columns = connection.execute(
            """
            select format('{}.{}', schema_name, table_name), list({'name': column_name, 'type': data_type})
            from duckdb_columns()
            where list_contains($1, schema_name) and not internal and not starts_with(table_name, '_dlt')
            group by all having list_contains(list(column_name), 'organization') order by all
            """,
            [list(schemas)],
        ).fetchall()
        for table, of_table in columns:
            ids = [id for column in of_table for id in _ids(column["name"], column["type"])]
            if not ids:
                continue
            row = connection.execute(
                f"""
                select count(*) from {table}
                where len(list_filter(flatten([{", ".join(ids)}]), lambda id:
                    id >= $step and id < $nobodys and id // $step <> list_position($owners, organization))) > 0
                """,
                {"step": IDS_OF_ONE, "nobodys": NOBODYS_IDS, "owners": list(owners)},
            ).fetchone()
            assert row
            found[table] = row[0]
    return found


def _ids(column: str, kind: str) -> list[str]:
    """The ids that a column holds, as a list in SQL: numbers, lists of them, and numbers in the texts of ids."""
    if not re.search(r"(^|_)(ids?|key)$", column):
        return []
    if kind.endswith("INT[]"):
        return [f'coalesce("{column}", [])']
    if kind in ("BIGINT", "INTEGER", "HUGEINT"):
        return [f'["{column}"::bigint]']
    if kind == "VARCHAR":
        # As it is, or as a transaction is spelled; not the digits of a hash.
        return [
            f"[try_cast(regexp_extract(\"{column}\", '^\\s*(rd2?-|raise-)?([0-9]{{7,10}})(-\\d+)?\\s*$', 2) as bigint)]"
        ]
    return []


def misjudged(simulated: Simulated) -> dict[str, int]:
    """By organization that is not broken: donors whose status is another one than the sandbox planted."""
    found = {}
    with duckdb.connect(str(simulated.published), read_only=True) as connection:
        for slug, sandbox in simulated.organizations.items():
            if slug in simulated.broken:
                continue
            planted = {int(key): donor["status"] for key, donor in sandbox.truth()["donors"].items()}
            told = dict(
                connection.execute(
                    "select raise_id, status from marts.recon_donors where organization = $1 and raise_id is not null",
                    [slug],
                ).fetchall()
            )
            found[slug] = sum(told.get(key) != status for key, status in planted.items()) + len(told.keys() - planted)
    return found


def run(simulated: Simulated, environment: Environment) -> None:
    """One run of all, as a user would start it; takes the time as its lines come."""
    said = simulated.folder / "errors"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(simulated.folder),
        "DAGSTER_HOME": str(simulated.dagster_home),
        "DLT_DATA_DIR": str(simulated.folder / "dlt"),
        "WAREHOUSE_PATH": str(simulated.warehouse),
        "PUBLISHED_PATH": str(simulated.published),
        **environment,
    }
    command = [str(Path(sys.executable).with_name("tieout")), "run"]
    last, part = time.monotonic(), "start"
    with (
        said.open("w") as errors,
        subprocess.Popen(
            command, cwd=simulated.folder, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout
        for line in process.stdout:
            now = time.monotonic()
            if read := _READ.match(line):
                simulated.seconds["start" if part == "start" else "ingest"] += now - last
                if part != "start":
                    simulated.seconds[read["organization"]] += now - last
                part = "ingest"
            elif line.startswith(("transform: ", "publish: ")):
                simulated.seconds[part] += now - last
                part = line.split(":")[0]
            else:
                continue
            last = now
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = simulated.code = os.waitstatus_to_exitcode(status)
    simulated.seconds[part] += time.monotonic() - last
    simulated.peak_megabytes = usage.ru_maxrss / 1024
    simulated.error = said.read_text().strip()


def simulate(folder: Path, organizations: Mapping[str, Handle], every: int) -> Simulated:
    """One run over organizations of which every so many is broken, in one way after the other."""
    environment = write_settings(organizations, folder)
    simulated = Simulated(dict(organizations), {}, folder)
    for number, slug in enumerate(list(organizations)[1::every]):
        name, break_ = BREAKS[number % len(BREAKS)]
        simulated.broken[slug] = name
        break_(slug, organizations[slug], environment)
    run(simulated, environment)
    return simulated


def show(simulated: Simulated, console: Console) -> bool:
    """Prints what came of it; whether all is well."""
    seconds = simulated.seconds
    sound = [seconds[slug] for slug in simulated.organizations if slug not in simulated.broken]
    console.print(
        f"{len(simulated.organizations)} organizations, {len(simulated.broken)} of them broken;"
        f" exit code {simulated.code}, peak memory of a process {simulated.peak_megabytes:,.0f} MB\n"
        f"start {seconds['start']:.1f} s, ingest {seconds['ingest']:.1f} s, transform {seconds['transform']:.1f} s,"
        f" publish and summary {seconds['publish']:.1f} s\n"
        f"ingest of a sound organization: median {statistics.median(sound):.2f} s, longest {max(sound):.2f} s"
    )
    table = Table("organization", "broken by", "seconds", "told")
    for slug, name in simulated.broken.items():
        told = re.search(rf"\[{slug}\].*?(?= \[org-|$)", simulated.error)
        table.add_row(slug, name, f"{seconds[slug]:.1f}", escape(told[0] if told else "nothing"))
    console.print(table)
    owners = list(simulated.organizations)
    astray = {
        **strays(simulated.warehouse, owners, ("raw_raise", "raw_crm_plus", "staging", "intermediate", "marts")),
        **{f"published {table}": n for table, n in strays(simulated.published, owners, ("marts",)).items()},
    }
    wrong = misjudged(simulated)
    strangers = {
        slug: count
        for slug, sandbox in simulated.organizations.items()
        if (count := sandbox.requests()["strangers"]) and simulated.broken.get(slug) != "wrong token"
    }
    console.print(
        f"cross-organization rows: {sum(astray.values())} in {len(astray)} tables; donors misjudged:"
        f" {sum(wrong.values())} in {len(wrong)} organizations; requests with another's credential:"
        f" {sum(strangers.values())}"
    )
    return not any((*astray.values(), *wrong.values(), *strangers.values())) and simulated.code == bool(
        simulated.broken
    )


def main(
    count: Annotated[int, typer.Option(help="How many organizations.")] = 200,
    scale: Annotated[str, typer.Option(help="How large each of them is.")] = "small",
    every: Annotated[int, typer.Option(help="Every so many is broken.")] = 10,
) -> None:
    """Simulate."""
    names = [f"org-{number:03}" for number in range(1, count + 1)]
    with tempfile.TemporaryDirectory() as folder, running_several(names, scale) as organizations:
        is_well = show(simulate(Path(folder), organizations, every), Console(width=120))
    raise typer.Exit(0 if is_well else 1)


if __name__ == "__main__":
    typer.run(main)
