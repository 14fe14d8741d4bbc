"""What is printed arrives whole, whatever the terminal can show and whoever reads it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from orchestration.cli import app
from orchestration.cli.formats import write_csv, write_json
from orchestration.cli.terminal import table, terminal

def shown(**_):
    rows = [("Zoë Łęcka 日本 😀", 1), ("Müller – Söhne", 2)] * int(sys.argv[2])
    if sys.argv[1] == "json":
        write_json([dict(zip(("name", "number"), row)) for row in rows])
    elif sys.argv[1] == "csv":
        write_csv(("name", "number"), rows)
    else:
        made = table("Gifts – all")
        made.add_column("name")
        for name, _ in rows:
            made.add_row(name)
        terminal().print(made)

app.app = shown
app.main()
"""
NAMES = ["Zoë Łęcka 日本 😀", "Müller – Söhne"]


def run(format_: str, *, rows: int = 1, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", PROGRAM, format_, str(rows)]
    if shell:
        command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHON", "LANG"))}
    return subprocess.run(command, env=settings | environment, capture_output=True, check=False, timeout=120)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_cannot_show_a_name_cuts_nothing(encoding: str) -> None:
    as_json, as_csv, as_table = (run(format_, PYTHONIOENCODING=encoding) for format_ in ("json", "csv", "table"))
    assert [done.returncode for done in (as_json, as_csv, as_table)] == [0, 0, 0]
    assert [done.stderr for done in (as_json, as_csv, as_table)] == [b"", b"", b""]
    assert [row["name"] for row in json.loads(as_json.stdout)] == NAMES
    assert [row["name"] for row in csv.DictReader(io.StringIO(as_csv.stdout.decode()))] == NAMES
    assert len(as_table.stdout.splitlines()) == 4


def test_a_reader_who_has_enough_and_a_closed_output() -> None:
    for shell in ("| head -n 1", ">&-"):
        done = run("csv", rows=20_000, shell=shell)
        assert done.stderr == b"", shell
        assert len(done.stdout.splitlines()) <= 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")
def test_a_full_disk_behind_the_output_is_named() -> None:
    for rows in (1, 20_000):
        done = run("csv", rows=rows, shell="> /dev/full")
        assert done.returncode == 1
        (line,) = done.stderr.decode().splitlines()
        assert line.startswith("Error: The disk is full")
