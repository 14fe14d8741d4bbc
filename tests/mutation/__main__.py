"""Do the unit tests of the warehouse notice when a rule is wrong? Run by `make mutants`, in some minutes.

dbt runs the unit tests once and leaves their SQL behind, inputs and expectations included. From there DuckDB alone is
needed: each mutant is the rules of one model with one branch dropped, two neighbouring branches swapped, or one
operator turned, and it must fail a test. Survivors are printed; the exit code says whether there are any. The mutants
of the last run stand in `docs/mutants.md`, which `--write` writes.
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
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, NamedTuple

import duckdb
import typer

PROJECT = Path(__file__).parents[2] / "transform"
DOCUMENT = PROJECT.parent / "docs" / "mutants.md"


class Scope(NamedTuple):
    """Where the rules of a model stand: from a common table expression to the end of another expression."""

    first: str
    last: str = ""


STATUS = "end as status"
MODELS = {
    "recon_donors": Scope("timed_facts", STATUS),
    "recon_gifts": Scope("timed_facts", STATUS),
    "recon_recurring_gifts": Scope("timed_facts", STATUS),
    "int_recon__complete_reads": Scope("reads"),
    "int_recon__empty_sides": Scope("contacts"),
    "int_recon__gift_totals": Scope("shared_matches"),
    "int_recon__gift_doubts": Scope("unaccepted_gifts"),
    "int_crm_plus__gift_contacts": Scope("passthrough_gifts"),
    "int_crm_plus__gift_facts": Scope("gifts"),
    "int_raise__gift_amounts": Scope("gifts"),
    "int_recon__gift_links": Scope("trusted_pairs"),
    "int_recon__left_crm_gifts": Scope("quarantine"),
    "int_recon__left_raise_gifts": Scope("linked_raise_gifts"),
    "int_recon__gift_candidates": Scope("left_raise_gifts"),
    "int_recon__gift_sums": Scope("parts"),
    "int_recon__gift_first_matches": Scope("accepted_candidates"),
    "int_recon__gift_joiners": Scope("unnamed_reversals"),
    "int_recon__gift_matches": Scope("links"),
    "int_recon__unnamed_costs": Scope("open_matches"),
    "event_type_labels": Scope("spellings", STATUS),
    "int_raise__webhook_payloads": Scope("opened"),
    "int_raise__webhook_deliveries": Scope("read_attempts"),
    "webhook_events": Scope("folded"),
    "records_missing_from_warehouse": Scope("logged_records", "end as severity"),
    "int_raise__campaign_event_states": Scope("states"),
    "int_raise__unread_campaign_events": Scope("deliveries"),
    "campaign_sync_windows": Scope("version_changes"),
    "int_raise__giving_expectations": Scope("windows"),
    "int_raise__donor_activity": Scope("totals"),
}

OPERATORS = {
    r"<=": "<", r">=": ">", r"<(?![=>])": "<=", r"(?<![<=-])>(?!=)": ">=", r"(?<![<>!])=(?!>)": "!=", r"!=": "=",
    r"\band\b(?! interval)": "or", r"\bor\b": "and", r"\bnot (?!materialized)(?=\w)": "", r"\bis null\b": "is not null",
    r"\bis not null\b": "is null", r"\bwhen (?=\w)": "when not ", r"\bwhere (?=\w)": "where not ",
    r"\bmin\(": "max(", r"\bmax\(": "min(", r"\barg_min\(": "arg_max(", r"\barg_max\(": "arg_min(",
    r"\bbool_or\(": "bool_and(", r"\bbool_and\(": "bool_or(", r"\bgreatest\(": "least(", r"\bleast\(": "greatest(",
    r"\blag\(": "lead(", r"\blead\(": "lag(", r"\bdesc\b": "asc", r"\basc\b": "desc",
    r"\bis distinct from\b": "is not distinct from",
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
    *(
        f"swapped: when {one} / when {other}"
        for one, other in (
            (
                "'created' then 'created|new|added|made|create|add'",
                "'updated' then 'updated|modified|changed|edited|update|modify|change|edit'",
            ),
            ("label_count > 1 then 'ambiguous'", "observed_label is null then 'unobserved'"),
            (
                "observed_label is null then 'unobserved'",
                "regexp_full_match(label_meaning, concat('(', objects, ')(', verbs, ')|(', verbs, ')(', objects, ')'))"
                " then 'confirmed'",
            ),
            (
                "hypotheses.action = 'updated' and placed.arrival_place = 1 then 'create'",
                "hypotheses.action = 'cancelled' then 'cancel'",
            ),
            (
                "hypotheses.resource_family = 'Gift' and placed.has_recurring_gift then 'recurring'",
                "hypotheses.resource_family = 'Gift' and not placed.has_recurring_gift then 'one_time'",
            ),
            (
                "complete_reads.read_at is null then 'not_assessable'",
                "complete_reads.read_at <= unknown_records.first_seen_at then 'pending'",
            ),
        )
    ),
    # a reversal either names a gift or is looked up by its pair
    "swapped: when named_originals.gift_id is not null then 'named' / when paired_reversals.gift_id is not null then"
    " 'pair'",
    # the sums of one contact have different days, so that any gift names its sum
    "max( for »min(«gift_id) as gift_id,",
    # what stands in a record comes after it: to look into one takes time alone
    "or for »and« list_has_any(",
    # where no campaign is found none of its events lie unread
    "swapped: when campaign_verdicts.campaign_lookup_key is null then 'campaign_not_found'"
    " / when campaign_verdicts.was_syncing is null and campaign_verdicts.unread_events > 0 then 'unread'",
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
        connection.execute("set timezone = 'UTC'; set threads = 1")
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


def mutants(sql: str, scope: Scope) -> Iterator[tuple[str, str]]:
    """(what was done, the SQL with it done), for the rules of a model."""
    found = re.search(rf"(?<!\w){scope.first} as (?:not materialized )?\(", sql)
    assert found, scope
    start = found.start()
    end = sql.index(scope.last, start) + len(scope.last) if scope.last else len(sql)
    rules = sql[start:end]
    told: Counter[str] = Counter()
    for what, mutated in [*_branches(rules), *_operators(rules)]:
        told[what] += 1
        shown = what if told[what] == 1 else f"{what} ({told[what]})"
        yield shown, sql[:start] + mutated + sql[end:]


def _branches(rules: str) -> Iterator[tuple[str, str]]:
    for case in re.finditer(r"^( *)(?:\S.*)?\bcase\b.*\n((?:.*\n)*?)\1(?: {4})?end\b", rules, re.MULTILINE):
        head, body, tail = rules[: case.start(2)], case[2], rules[case.end(2) :]
        indent = re.match(" *", body)[0]  # type: ignore[index]
        branches = re.split(rf"(?=^{indent}(?:when|else)\b)", body, flags=re.MULTILINE)
        for number, branch in enumerate(branches):
            if "when" not in branch:
                continue
            rest = branches[:number] + branches[number + 1 :]
            yield f"without: {_line(branch)}", head + "".join(rest) + tail
            following = branches[number + 1] if number + 1 < len(branches) else ""
            if "when" in following and _then(branch) != _then(following):
                swapped = [*branches[:number], following, branch, *branches[number + 2 :]]
                yield f"swapped: {_line(branch)} / {_line(following)}", head + "".join(swapped) + tail


def _operators(rules: str) -> Iterator[tuple[str, str]]:
    code = re.sub(r"--[^\n]*|'[^']*'", lambda found: " " * len(found[0]), rules)
    for pattern, other in OPERATORS.items():
        for found in re.finditer(pattern, code):
            if _is_join(code, found.start()):
                continue
            line_start = rules.rfind("\n", 0, found.start()) + 1
            shown = f"{rules[line_start : found.start()]}»{found[0].strip()}«{' ' * found[0].endswith(' ')}"
            shown = _line((shown + rules[found.end() :]).split("\n", 1)[0])
            yield f"{other.strip() or 'nothing'} for {shown}", rules[: found.start()] + other + rules[found.end() :]


def _is_join(code: str, at: int) -> bool:
    """Joins go by keys, not by rules."""
    line_end = code.find("\n", at)
    clauses = r"^ *(select|from|where|having|qualify|group by|order by|window|case|on|(?:\w+ )*join)\b"
    found = re.findall(clauses, code[: line_end if line_end >= 0 else None], re.MULTILINE)
    return bool(found) and (found[-1] == "on" or found[-1].endswith("join"))


def _line(text: str) -> str:
    return " ".join(text.split())


def _then(branch: str) -> str:
    return re.sub(r"--[^\n]*", "", branch).rsplit("then", 1)[-1].strip()


def main(
    target: Annotated[Path | None, typer.Option(help="A dbt target folder in which the unit tests were run.")] = None,
    warehouse: Annotated[Path | None, typer.Option(help="A finished warehouse, which tells dbt the columns.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="These models.")] = None,
    processes: Annotated[int | None, typer.Option(help="How many models at a time; by default one per core.")] = None,
    write: Annotated[bool, typer.Option(help="Write the list of mutants into the docs.")] = False,
) -> None:
    models = only or list(MODELS)
    with tempfile.TemporaryDirectory() as folder:
        if target is None:
            target = Path(folder) / "target"
            _run_unit_tests(Path(folder), target, warehouse, models)
        with ProcessPoolExecutor(processes) as pool:
            found = dict(zip(models, pool.map(partial(survivors, target / "run" / "tieout"), models), strict=True))
    if write:
        _write(found)
    sys.exit(1 if any("survived" in verdicts.values() for verdicts in found.values()) else 0)


def survivors(run: Path, model: str) -> dict[str, str]:
    """What became of each mutant of a model: caught, survived, or equivalent."""
    tests = unit_tests(run, model)
    assert tests, f"dbt ran no unit test of {model}"
    failing = [test.name for test in tests if not test.passes(test.model)]
    assert not failing, f"fail before any mutation: {failing}"
    made = [(test, dict(mutants(test.model, MODELS[model]))) for test in tests]
    verdicts: dict[str, str] = {}
    for what in dict.fromkeys(what for _, of_test in made for what in of_test):
        if what in EQUIVALENT:
            verdicts[what] = "equivalent"
        elif all(test.passes(of_test[what]) for test, of_test in made if what in of_test):
            verdicts[what] = "survived"
            print(f"{model}: survived: {what}", flush=True)
        else:
            verdicts[what] = "caught"
    print(f"{model}: {len(verdicts)} mutants, {len(tests)} unit tests", flush=True)
    return verdicts


def _write(found: dict[str, dict[str, str]]) -> None:
    counts = [(model, len(verdicts), Counter(verdicts.values())) for model, verdicts in found.items()]
    lines = [
        "# Mutants of the rules",
        "",
        f"Last run on {date.today()} by `tests/mutation`: each line is a rule made wrong in one place. A test must",
        "notice it (`caught`); `equivalent` ones mean the same as the rule, for the reason given in `tests/mutation`.",
        "",
        "| model | mutants | caught | equivalent | survived |",
        "|---|---|---|---|---|",
        *(
            f"| `{model}` | {number} | {c['caught']} | {c['equivalent']} | {c['survived']} |"
            for model, number, c in counts
        ),
    ]
    for model, verdicts in found.items():
        lines += [
            "",
            f"## `{model}`",
            "",
            "```text",
            *(f"{verdict:10}  {what}" for what, verdict in verdicts.items()),
            "```",
        ]
    DOCUMENT.write_text("\n".join(lines) + "\n")


def _run_unit_tests(folder: Path, target: Path, warehouse: Path | None, models: list[str]) -> None:
    from tests.oracle.differential import build
    from tests.oracle.worlds import organizations

    warehouse = warehouse or build(folder, organizations(1, 1))
    command = [str(Path(sysconfig.get_path("scripts")) / "dbt"), "--quiet", "test", "--project-dir", str(PROJECT)]
    command += ["--profiles-dir", str(PROJECT), "--target-path", str(target), "--log-path", str(folder)]
    command += ["--select", *(f"{model},test_type:unit" for model in models)]
    environment = os.environ | {"WAREHOUSE_PATH": str(warehouse), "HOME": str(folder)}
    subprocess.run(command, env=environment, cwd=folder, check=True)


if __name__ == "__main__":
    typer.run(main)
