"""Do the unit tests of the reconciliation notice when a rule is wrong? Run by `make mutants`, in a few minutes.

dbt runs the unit tests once and leaves their SQL behind, inputs and expectations included. From there DuckDB alone is
needed: each mutant is the rules of one model with one branch dropped, two neighbouring branches swapped, or one
operator turned, and it must fail a test. Survivors are printed; the exit code says whether there are any.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import duckdb
import typer

PROJECT = Path(__file__).parents[2] / "transform"
MODELS = ("recon_donors", "recon_gifts", "recon_recurring_gifts")

# The rules stand from this common table expression to the status.
FIRST = "timed_facts as ("
OPERATORS = {
    r"<=": "<", r">=": ">", r"<(?![=>])": "<=", r"(?<![<=-])>(?!=)": ">=", r"(?<![<>!])=": "!=", r"!=": "=",
    r"\band\b(?! interval)": "or", r"\bor\b": "and", r"\bnot (?=\w)": "", r"\bis null\b": "is not null",
    r"\bis not null\b": "is null", r"\bwhen (?=\w)": "when not ",
}  # fmt: skip

# Mutants that mean the same as the model, and why.
EQUIVALENT = {
    # one side, one match, one key, one kind of key, one number of references, one age: two of them never hold together
    *(
        f"swapped: when {one} / when {other}"
        for one, other in (
            ("is_expectation_unknown then 'not_assessable'", "is_foreign_key then 'foreign_key'"),
            (
                "is_expectation_unknown and not is_foreign_key then 'not_assessable'",
                "is_foreign_key then 'foreign_key'",
            ),
            ("is_foreign_key then 'foreign_key'", "is_dangling then 'dangling'"),
            ("is_foreign_key then 'foreign_key'", "is_conflict then 'conflict'"),
            ("is_conflict then 'conflict'", "is_dangling then 'dangling'"),
            ("is_dangling then 'dangling'", "is_archived then 'archived'"),
            (
                "reference_contact_count = 1 then 'linked_by_reference'",
                "reference_contact_count > 1 then 'ambiguous_reference'",
            ),
            ("has_activity and expected_count = 0 then 'sync_disabled'", "not has_activity then 'no_activity'"),
            ("not has_activity then 'no_activity'", "is_crm_plus_only and age_us >= 0 then 'orphan'"),
            ("is_duplicate then 'duplicate'", "is_crm_plus_only and age_us < 0 then 'pending'"),
            ("is_crm_plus_only then 'orphan'", "not has_match and is_ended_at_once then 'not_expected'"),
            ("is_crm_plus_only then 'orphan'", "not has_match and is_in_time then 'pending'"),
            ("is_sync_disabled then 'sync_disabled'", "is_crm_plus_only and age_us < 0 then 'pending'"),
            ("not has_match then 'missing'", "is_state_mismatch then 'state_mismatch'"),
            ("not has_match then 'missing'", "is_refund_not_reversed then 'refund_not_reversed'"),
            ("is_reversal_unknown then 'not_assessable'", "is_not_expected then 'not_expected'"),
            (
                "is_refund_not_reversed then 'refund_not_reversed'",
                "is_reversal_without_refund then 'reversal_without_refund'",
            ),
            ("is_reversal_without_refund then 'reversal_without_refund'", "is_duplicate then 'duplicate'"),
        )
    ),
    # a single reference was dealt with one branch above
    ">= for when reference_contact_count »>« 1 then 'ambiguous_reference'",
    # what was reversed to nothing, or booked twice, differs in its amount as well
    "and for »or« is_reversal_without_refund",
    "and for »or« is_duplicate",
}


@dataclass
class UnitTest:
    """The SQL of one dbt unit test: fixtures as tables, the model, the expectation."""

    name: str
    model: str
    columns: str
    connection: duckdb.DuckDBPyConnection

    def passes(self, model: str) -> bool:
        """Whether the model, as it is given, does what the test expects. SQL that does not run is a failure."""
        try:
            return self._rows(f"select {self.columns} from ({model})") == self.expected
        except duckdb.Error:
            return False

    @cached_property
    def expected(self) -> Counter[str]:
        return self._rows("from expected")

    def _rows(self, sql: str) -> Counter[str]:
        return Counter(str(row) for row in self.connection.sql(sql).fetchall())


def unit_tests(run: Path, model: str) -> list[UnitTest]:
    """The unit tests of a model, from the SQL that dbt ran."""
    found = []
    for path in sorted(run.glob(f"models/**/{model}__unit_tests.yml/**/*.sql")):
        sql = path.read_text()
        actual, expected = sql.split("dbt_internal_unit_test_expected as (", 1)
        columns = re.search(r'select\s+(".*?"), \'actual\'', actual, re.DOTALL)
        assert columns, path
        body = actual[actual.index("from (") + len("from (") : actual.rindex(") _dbt_internal_unit_test_actual")]
        connection = duckdb.connect()
        connection.execute("set timezone = 'UTC'")
        for name, fixture in _fixtures(body):
            connection.execute(f'create table "{name}" as {fixture}')
            body = body.replace(f"{name} as ({fixture}),", "", 1).replace(f"{name} as ({fixture})", "", 1)
        wanted = expected[: expected.rindex(") _dbt_internal_unit_test_expected")]
        wanted = wanted[wanted.index("from (") + len("from (") :]
        connection.execute(f"create table expected as select {columns[1]} from ({wanted})")
        found.append(UnitTest(path.stem, body, columns[1], connection))
    return found


def _fixtures(sql: str) -> Iterator[tuple[str, str]]:
    for start in re.finditer(r"(__dbt__cte__\w+) as \(", sql):
        depth, at, quoted = 1, start.end(), False
        while depth:
            quoted ^= sql[at] == "'"
            depth += 0 if quoted else {"(": 1, ")": -1}.get(sql[at], 0)
            at += 1
        yield start[1], sql[start.end() : at - 1]


def mutants(sql: str) -> Iterator[tuple[str, str]]:
    """(what was done, the SQL with it done), for the rules of a model."""
    start = sql.index(FIRST)
    end = sql.index("end as status", start)
    rules = sql[start:end]
    judged = rules.rindex("case\n")
    head, branches = rules[:judged], re.split(r"(?=^ *(?:when|else) )", rules[judged:], flags=re.MULTILINE)
    for number, branch in enumerate(branches[1:], 1):
        if "when" in branch:
            rest = branches[:number] + branches[number + 1 :]
            yield f"without: {_line(branch)}", sql[:start] + head + "".join(rest) + sql[end:]
        if (
            number + 1 < len(branches)
            and "when" in branches[number + 1]
            and _then(branch) != _then(branches[number + 1])
        ):
            swapped = [*branches[:number], branches[number + 1], branch, *branches[number + 2 :]]
            yield (
                f"swapped: {_line(branch)} / {_line(branches[number + 1])}",
                sql[:start] + head + "".join(swapped) + sql[end:],
            )
    code = re.sub(r"--[^\n]*|'[^']*'", lambda found: " " * len(found[0]), rules)
    for pattern, other in OPERATORS.items():
        for found in re.finditer(pattern, code):
            line_start = rules.rfind("\n", 0, found.start()) + 1
            line = _line(rules[line_start:].split("\n", 1)[0])
            if line.startswith(("on", "left join", "inner join")) or _is_join(rules, found.start()):
                continue
            mutated = rules[: found.start()] + other + rules[found.end() :]
            shown = f"{rules[line_start : found.start()]}»{found[0].strip()}«{' ' * found[0].endswith(' ')}"
            shown = _line((shown + rules[found.end() :]).split("\n", 1)[0])
            yield f"{other.strip() or 'nothing'} for {shown}", sql[:start] + mutated + sql[end:]


def _is_join(rules: str, at: int) -> bool:
    last = max((rules.rfind(word, 0, at), word) for word in ("\n    on", "\n    left join", "\n    from", "select"))[1]
    return "on" in last or "join" in last


def _line(text: str) -> str:
    return " ".join(text.split())


def _then(branch: str) -> str:
    return branch.rsplit("then", 1)[-1].strip()


def main(
    target: Annotated[Path | None, typer.Option(help="A dbt target folder in which the unit tests were run.")] = None,
    warehouse: Annotated[Path | None, typer.Option(help="A finished warehouse, which tells dbt the columns.")] = None,
    only: Annotated[str, typer.Option(help="One model.")] = "",
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if target is None:
            target = Path(folder) / "target"
            _run_unit_tests(Path(folder), target, warehouse)
        survivors = 0
        for model in [only] if only else MODELS:
            tests = unit_tests(target / "run" / "tieout", model)
            assert tests, f"dbt ran no unit test of {model}"
            failing = [test.name for test in tests if not test.passes(test.model)]
            assert not failing, f"fail before any mutation: {failing}"
            made = [dict(mutants(test.model)) for test in tests]
            for what in made[0]:
                if what in EQUIVALENT:
                    continue
                if all(test.passes(of_test[what]) for test, of_test in zip(tests, made, strict=True)):
                    survivors += 1
                    print(f"{model}: survived: {what}")
            print(f"{model}: {len(made[0])} mutants, {len(tests)} unit tests", flush=True)
        sys.exit(1 if survivors else 0)


def _run_unit_tests(folder: Path, target: Path, warehouse: Path | None) -> None:
    from tests.oracle.differential import build
    from tests.oracle.worlds import organizations

    warehouse = warehouse or build(folder, organizations(1, 1))
    command = [str(Path(sysconfig.get_path("scripts")) / "dbt"), "--quiet", "test", "--project-dir", str(PROJECT)]
    command += ["--profiles-dir", str(PROJECT), "--target-path", str(target), "--log-path", str(folder)]
    command += ["--select", *(f"{model},test_type:unit" for model in MODELS)]
    environment = os.environ | {"WAREHOUSE_PATH": str(warehouse), "HOME": str(folder)}
    subprocess.run(command, env=environment, cwd=folder, check=True)


if __name__ == "__main__":
    typer.run(main)
