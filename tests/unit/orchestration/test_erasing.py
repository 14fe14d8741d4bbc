from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import duckdb
import pytest

from ingestion import erasure
from ingestion.settings import Settings
from orchestration import erasing

ORGANIZATIONS = """
[north]
raise_token_name = "NORTH_TOKEN"
[south]
raise_token_name = "SOUTH_TOKEN"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(warehouse_path=tmp_path / "warehouse.duckdb", _env_file=None)  # type: ignore[call-arg]


def warehouse(path: Path, *donors: int) -> Path:
    """A warehouse in which these donors are erased, the contact of each being a thousand more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    erasure.name(path, "riverside", "raise", donors)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.recon_donors as"
            " select 'riverside' as organization, id as raise_id, id + 1000 as crm_id from range(5, 10) as ids (id)"
        )
    return path


def test_nothing_remains_where_nobody_is_erased(settings: Settings) -> None:
    assert list(erasing.remains(settings)) == []
    warehouse(settings.warehouse_path)
    assert erasing.erased(settings) == set()
    assert list(erasing.remains(settings)) == []


def test_what_remains_is_listed(settings: Settings) -> None:
    folder = settings.warehouse_path.parent
    warehouse(settings.warehouse_path, 7, 8)
    erasure.name(settings.warehouse_path, "riverside", "crm_plus", [1008])
    older = warehouse(folder / "backups/older/warehouse.duckdb", 7).parent
    newer = warehouse(folder / "backups/newer/warehouse.duckdb", 7, 8)
    erasure.name(newer, "riverside", "crm_plus", [1008])
    aside = folder / "warehouse.duckdb.before-x"
    aside.mkdir()
    (aside / "warehouse.duckdb").write_text("damaged")
    contacts, *others = erasing.remains(settings)
    assert "still has 1 of them as contacts (1007)" in contacts
    made_before = [line.split(" was made before")[0] for line in others if "was made before" in line]
    assert made_before == [str(older), str(aside)]
    assert others[-len(erasing.ELSEWHERE) :] == list(erasing.ELSEWHERE)


def test_there_must_be_a_warehouse(settings: Settings) -> None:
    with pytest.raises(erasing.ErasureImpossible, match="There is no warehouse"):
        erasing.name(settings, "riverside", {"raise": [7]}, lambda: None)


def test_ids_need_an_organization_where_there_are_several(
    tieout: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    file = tmp_path / "organizations.toml"
    file.write_text(ORGANIZATIONS)
    tokens = {"NORTH_TOKEN": "token-of-north", "SOUTH_TOKEN": "token-of-south"}
    done = tieout("erase", "--donor", "7", ORGANIZATIONS_FILE=str(file), **tokens)
    assert done.returncode == 2
    assert "Name the organization with --organization: one of north, south." in " ".join(done.stderr.split())
