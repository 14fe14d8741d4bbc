"""Load packages that a killed run left behind: what they hold was read completely, and is loaded before anything else.

dlt goes on where it stopped, which three times is not where the warehouse stands (dlt 1.31.0, 2026-11-27): a package
is normalized by the schema that the pipeline saved last, which may append where the package is to be merged; a package
that was normalized and not yet taken from the extracted ones cannot be normalized again; and a file that was copied
into its table and not yet noted as copied is copied again. Rows would stand twice.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dlt.common.schema import Schema
from dlt.common.schema.typing import C_DLT_LOAD_ID
from dlt.common.storages.file_storage import FileStorage
from dlt.common.storages.load_package import (
    WORKING_FOLDERS,
    PackageStorage,
    ParsedLoadJobFileName,
    TLoadPackageStatus,
)
from dlt.common.storages.load_storage import LoadStorage
from dlt.common.storages.normalize_storage import NormalizeStorage
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.pipeline.pipeline import Pipeline

EXTRACTED = Path("normalize", NormalizeStorage.EXTRACTED_FOLDER)
NORMALIZED = Path("load", LoadStorage.NORMALIZED_FOLDER)
_OTHERS = (Path("load", LoadStorage.NEW_PACKAGES_FOLDER), Path("load", LoadStorage.LOADED_FOLDER))


def make_folders(working_dir: Path) -> None:
    """Makes the folders of a pipeline that are missing because they were empty: backups and other copies drop them.

    dlt makes them once, with the pipeline, and fails without them (dlt 1.31.0, 2026-11-30).
    """
    for packages in (EXTRACTED, NORMALIZED, *_OTHERS):
        folder = working_dir / packages
        if not folder.parent.is_dir():
            continue
        folder.mkdir(exist_ok=True)
        for package in folder.glob("*/"):
            for jobs in WORKING_FOLDERS:
                (package / jobs).mkdir(exist_ok=True)


def finish(pipeline: Pipeline) -> None:
    """Loads the packages of a pipeline that are not loaded yet."""
    folder = Path(pipeline.working_dir)
    # Folders alone: a kill can leave a file beside them that dlt was about to put into one.
    for package in sorted((folder / NORMALIZED).glob("*/")):
        # A package comes to the normalized ones as a whole.
        shutil.rmtree(folder / EXTRACTED / package.name, ignore_errors=True)
        _start_over(package)
        _take_back(pipeline, package)
    for package in sorted((folder / EXTRACTED).glob("*/")):
        pipeline.schemas.save_schema(_schema(package, "extracted"))
    if pipeline.has_pending_data:
        pipeline.normalize()
        pipeline.load()


def _take_back(pipeline: Pipeline, package: Path) -> None:
    """Deletes what a package has appended. What it has merged stays: that is in the place of earlier rows."""
    tables = _schema(package, "normalized").tables
    appended = [name for name, table in tables.items() if table.get("write_disposition") == "append"]
    with pipeline.destination_client() as client:
        assert isinstance(client, DuckDbClient)
        for table, columns in client.get_storage_tables(appended):
            if columns:
                name = client.sql_client.make_qualified_table_name(table)
                client.sql_client.execute_sql(f"delete from {name} where {C_DLT_LOAD_ID} = %s", package.name)


def _schema(package: Path, state: TLoadPackageStatus) -> Schema:
    return PackageStorage(FileStorage(str(package.parent)), state).load_schema(package.name)


def _start_over(package: Path) -> None:
    """Makes all of a package's files new to dlt, which then empties their staging tables first.

    To merge a table twice from the same staged rows changes nothing: rows are merged by their keys.
    """
    new = package / PackageStorage.NEW_JOBS_FOLDER
    applied = package / PackageStorage.APPLIED_SCHEMA_UPDATES_FILE_NAME
    updates = package / PackageStorage.SCHEMA_UPDATES_FILE_NAME
    if applied.exists():
        applied.rename(updates)
    elif not updates.exists():
        # Killed between the two: without either, dlt takes the staging tables for emptied.
        FileStorage(str(package)).save(updates.name, "{}")
    for folder in (PackageStorage.STARTED_JOBS_FOLDER, PackageStorage.COMPLETED_JOBS_FOLDER):
        for job in (package / folder).iterdir():
            job.rename(new / job.name)
    for job in new.iterdir():
        # The merges, which dlt plans again when everything is staged.
        if ParsedLoadJobFileName.parse(job.name).file_format == "sql":
            job.unlink()
    for marker in (package / PackageStorage.PENDING_TRANSITIONS_FOLDER).glob("*"):
        marker.unlink()
