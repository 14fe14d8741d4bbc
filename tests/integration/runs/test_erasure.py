"""A donor who is erased in Raise is nowhere in what the next run leaves; what only a person can delete is listed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ingestion.sandbox import Handle, running
from tests.integration.conftest import Workplace
from tests.secrets import found_in


def test_an_erased_donor_is_in_no_byte_of_what_a_run_leaves(
    after_one_run: Path, workplace_for: Callable[[Handle], Workplace]
) -> None:
    # As `small`, whose clock others need where it is.
    with running(seed=11, scale="small") as sandbox:
        place = workplace_for(sandbox)
        shutil.copytree(after_one_run, place.folder / "data", dirs_exist_ok=True)
        sandbox.advance(hours=30)
        ((donor, truth),) = [
            (int(id), truth) for id, truth in sandbox.truth()["donors"].items() if truth["situation"] == "erased_now"
        ]
        ((name, mail),) = place.query(f"select name, email from raw_raise.donors where id = {donor}")
        assert {text.split(" ")[-1] for text in found_in(place.folder, [mail])} >= {"(rows)"}
        backup = place.tieout("backup")
        assert backup.returncode == 0, backup.stderr

        done = place.tieout("run", **sandbox.env())
        assert done.returncode == 0, done.stderr
        assert truth["status"] == "deleted"
        status = f"select status from marts.recon_donors where raise_id = {donor}"
        assert place.query(status, published=True) == [("deleted",)]
        events = f"select payload from marts.webhook_events where resource_family = 'Donor' and context_id = '{donor}'"
        assert len(place.query(events, published=True)) >= 2
        assert set(place.query(events, published=True)) == {(None,)}
        outcomes = f"""
            select distinct payloads.outcome from raw_raise.webhook_log_payloads as payloads
            join raw_raise.webhook_logs as logs using (organization, id)
            where logs.event_type // 10 = 3 and logs.context_id = '{donor}'
        """
        assert place.query(outcomes) == [("erased",)]
        assert {text.split("/")[1] for text in found_in(place.folder, [mail, mail.upper()])} == {"backups"}
        assert place.query(f"select name from raw_raise.donors where id = {donor}") != [(name,)]

        listed = place.tieout("erase", **sandbox.env())
    assert listed.returncode == 0, listed.stderr
    (kept,) = (place.folder / "data/backups").iterdir()
    assert f"{kept} was made before" in " ".join(listed.stdout.split())
    assert "What may still hold their data" in listed.stdout
