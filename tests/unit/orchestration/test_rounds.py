from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ingestion.errors import ReadingFailed
from ingestion.settings import Organization, PiiMode, Settings
from orchestration import rounds
from orchestration.rounds import Round
from orchestration.scope import Scope

NAME = "Zora Quimbledon"
ORGANIZATIONS = tuple(Organization(slug=slug, raise_api_token=SecretStr("token")) for slug in ("riverside", "lakeside"))


def test_an_unexpected_error_is_reported_without_its_text_where_that_may_quote_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError(NAME)

    monkeypatch.setattr(rounds, "open_reading", broken)
    monkeypatch.setattr(rounds, "finish_pending", lambda *_: None)
    monkeypatch.setattr(rounds, "is_half_loaded", lambda *_: False)
    settings = Settings(warehouse_path=tmp_path / "warehouse.duckdb", pii_mode=PiiMode.DROP, _env_file=None)  # type: ignore[call-arg]
    warned: list[str] = []
    reading = Round("raise", settings, lambda _: None, warned.append, run_id="first")
    with pytest.raises(ReadingFailed, match="KeyError") as error:
        reading.read(Scope(ORGANIZATIONS, {}))
    assert len(warned) == len(ORGANIZATIONS)
    assert NAME not in f"{error.value} {warned}"
