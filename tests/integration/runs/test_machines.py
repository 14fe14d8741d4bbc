"""Runs on machines with more cores, and with fewer open files, than this one, on records of many fields."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion import machine
from ingestion.sandbox import Handle
from ingestion.sources import SOURCES, open_reading
from tests.integration.conftest import Workplace, settings_for

OWN_FIELDS = 600
"""As many undeclared ones a wide record has."""


@pytest.fixture
def few_files() -> Iterator[None]:
    """What is started may open 256 files at a time, as on macOS."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def wide(sandbox: Handle) -> Iterator[Handle]:
    """A few records of each kind carry many fields that their organization made for itself."""
    sandbox.set_faults(wide_rows=True)
    yield sandbox
    sandbox.set_faults(wide_rows=False)


@pytest.mark.usefixtures("few_files", "wide")
def test_a_whole_run_with_a_hundred_threads_and_few_files(place: Workplace) -> None:
    """Far more threads than memory allows for: eleven to build models, four to type rows."""
    done = place.tieout("run", "--full", **{machine.THREADS: "128"})
    assert done.returncode == 0, done.stderr
    found = place.query("select extra_fields from raw_raise.gifts where extra_fields is not null")
    assert max(len(json.loads(fields)) for (fields,) in found) >= OWN_FIELDS
    ((drifted,),) = place.query("select count(*) from marts.schema_drift where field like 'ownField%'", published=True)
    assert drifted >= OWN_FIELDS
    done = place.tieout("summary", **{machine.THREADS: "128"})
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("few_files")
@pytest.mark.parametrize("threads", [1, 2, 8, 32])
def test_both_products_are_read_with_any_number_of_threads(
    wide: Handle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setenv(machine.THREADS, str(threads))
    settings = settings_for(wide, tmp_path)
    (organization,) = settings.organizations
    for source in SOURCES:
        with open_reading(source, organization, settings, run_id="first") as reading:
            assert {name: outcome.error for name, outcome in reading.run().items() if not outcome.is_complete} == {}
