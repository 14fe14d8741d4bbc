"""The dbt project as a tool: where it is, how it is called, and its manifest."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ingestion import machine
from ingestion.disk import is_full_disk, written_file
from ingestion.errors import TieoutError
from ingestion.settings import Paths, Settings, load_paths
from orchestration import tethered
from orchestration.bundled import bundled

_FINGERPRINT = "fingerprint"
_PARTIAL_PARSE = "partial_parse.msgpack"
_RESULTS = "run_results.json"
_SMALL = 1_500_000_000
"""Bytes of a warehouse of about a million gifts on each side."""
_MEMORY_LIMIT = "WAREHOUSE_MEMORY_LIMIT"
_KEPT_MEMORY = "WAREHOUSE_KEPT_MEMORY"
_FAILED = {"error", "fail", "runtime error"}
_ARTIFACTS = {"target", "logs", "dbt_packages"}


class TransformBroken(TieoutError):
    """The dbt project does not parse."""


class TransformFailed(TieoutError):
    """Models or tests of the dbt project failed."""


def project_path() -> Path:
    return bundled("transform")


def command() -> list[str]:
    """How dbt is started, inside of `environment`: it ends with this process."""
    return tethered.command("dbt.cli.main:cli")


@contextmanager
def environment(settings: Paths) -> Iterator[None]:
    """What a program needs and the project's profile reads, and no more, for the processes that are started inside."""
    told = tethered.environment(machine.THREADS) | {"WAREHOUSE_PATH": str(settings.warehouse_path)}
    if isinstance(settings, Settings):
        told |= memory(settings.warehouse_path, settings.warehouse_memory_limit)
    before = dict(os.environ)
    # The integration passes on all that there is.
    _make_environment(told)
    try:
        yield
    finally:
        _make_environment(before)


def _make_environment(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)


def memory(warehouse: Path, limit: str | None = None) -> dict[str, str]:
    """How much memory the models of this warehouse may use and keep, as DuckDB names sizes, and how many threads they
    have, by what the profile reads.

    Unless a limit is given, it is what is enough.
    """
    own = machine.memory_limit()
    if not limit:
        is_large = warehouse.exists() and warehouse.stat().st_size > _SMALL
        # Of ten million gifts some models hold more than any small limit at a time.
        limit = own if is_large or machine.as_bytes(own) < _SMALL else "1500MB"
    # DuckDB refuses to keep more than it would allow itself.
    kept = min(own, machine.memory_limit(limit), key=machine.as_bytes)
    return {
        _MEMORY_LIMIT: limit,
        _KEPT_MEMORY: kept,
        machine.THREADS: str(machine.threads(machine.as_bytes(kept))),
    }


def prepared_manifest() -> Path:
    """The manifest, parsed anew when any file of the project has changed since."""
    settings = load_paths()
    folder = settings.state_path / "dbt" / "parse"
    manifest, recorded = folder / "manifest.json", folder / _FINGERPRINT
    current = _fingerprint(project_path())

    def is_current() -> bool:
        return manifest.exists() and recorded.exists() and recorded.read_text() == current

    if not is_current():
        folder.mkdir(parents=True, exist_ok=True)
        # Several processes may start at once, and one be killed while it parses.
        with FileLock(folder / "parse.lock"):
            if not is_current():
                recorded.unlink(missing_ok=True)
                _parse(folder, settings)
                recorded.write_text(current)
    return manifest


@dataclass(frozen=True)
class Described:
    """What the project says of a source table and of its columns."""

    says: str
    columns: Mapping[str, str]


def described_sources(manifest: Path) -> dict[tuple[str, str], Described]:
    """What stands in the manifest of the raw tables, by dataset and name."""
    sources = json.loads(manifest.read_bytes())["sources"].values()
    return {
        (source["schema"], source["name"]): Described(
            source["description"],
            {name: column["description"] for name, column in source["columns"].items()},
        )
        for source in sources
    }


def fresh_target(settings: Paths) -> Path:
    """Where one run of dbt writes its artifacts and log: never into the project, which may be installed read-only."""
    target, parsed = _target(settings), settings.state_path / "dbt" / "parse"
    target.mkdir(parents=True, exist_ok=True)
    (target / _RESULTS).unlink(missing_ok=True)
    # Spares the first run the parse that the manifest already cost.
    if (parsed / _PARTIAL_PARSE).exists() and not (target / _PARTIAL_PARSE).exists():
        shutil.copy(parsed / _PARTIAL_PARSE, target)
    return target


def rows_stand_twice(settings: Paths) -> bool:
    """Whether the last run of dbt found so: tables of which only differences are written have to be made anew then."""
    failed, _ = _failed(_target(settings))
    return _tells_of_twins(failed)


def failure(target: Path, said: str) -> TransformFailed:
    """What went wrong in a run of dbt, by the names of what failed; `said` is for when dbt did not come that far."""
    failed, count = _failed(target)
    what = f"{len(failed)} of {count} failed: {', '.join(failed)}" if failed else _reason(said)
    for message in failed.values():
        # Seeds name file and line themselves.
        what += "".join(f"; {line.rstrip('.')}" for line in re.findall(r"^\s*(seeds/.+)$", message, re.MULTILINE))
        what += f"; {odd}" if (odd := _odd_encoding(project_path(), message)) else ""
    if full := next((message for message in failed.values() or [said] if is_full_disk(message)), None):
        what += f"; the disk of {written_file(full) or target} is full, or its quota used up: make room and run again"
    if any("Out of Memory" in message and "offload" not in message for message in failed.values()):
        what += f"; the memory that {_MEMORY_LIMIT} allows was not enough: allow more"
    if _tells_of_twins(failed):
        what += "; rows stand twice: the next run makes all tables anew"
    return TransformFailed(f"dbt: {what}. Nothing was published; the reasons are in {target / 'dbt.log'}.")


def _target(settings: Paths) -> Path:
    return settings.state_path / "dbt" / "run"


def _failed(target: Path) -> tuple[dict[str, str], int]:
    """What failed in the run of dbt that wrote there, with its messages, and how many nodes there were."""
    results = target / _RESULTS
    nodes = json.loads(results.read_bytes())["results"] if results.exists() else []
    failed = {node["unique_id"].split(".")[2]: node["message"] or "" for node in nodes if node["status"] in _FAILED}
    return failed, len(nodes)


def _tells_of_twins(failed: Iterable[str]) -> bool:
    return any(name.startswith(("primary_key_", "unique_")) for name in failed)


def _fingerprint(project: Path) -> str:
    # Contents, not times: an upgraded wheel may bring files that are older than the manifest.
    digest = hashlib.sha256(str(project).encode())
    for path in sorted(_files(project)):
        digest.update(str(path.relative_to(project)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(project: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(project):
        subfolders[:] = [name for name in subfolders if name not in _ARTIFACTS]
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _parse(folder: Path, settings: Paths) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    project = str(project_path())
    with environment(settings):
        done = subprocess.run(
            [*command(), "--quiet", "parse", "--project-dir", project, "--profiles-dir", project],
            env={
                **os.environ,
                "DBT_TARGET_PATH": str(folder),
                "DBT_LOG_PATH": str(folder),
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise TransformBroken(f"dbt cannot parse {project}: {_reason(done.stdout)} (see {folder / 'dbt.log'}).")


def _reason(said: str) -> str:
    return _odd_encoding(project_path(), said) or _last_line(said)


def _odd_encoding(project: Path, said: str) -> str | None:
    """Which file is no UTF-8, as a spreadsheet may save a seed, where dbt complains of that without its name."""
    if not re.search(r"UnicodeDecodeError|valid UTF-?8", said):
        return None
    for path in sorted(path for path in _files(project) if path.suffix in {".csv", ".sql", ".yml", ".md"}):
        try:
            path.read_bytes().decode()
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            return f"{path.relative_to(project)}, line {line}, is no UTF-8: save the file as CSV UTF-8"
    return None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"
