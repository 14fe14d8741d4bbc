"""A sandbox in its own process."""

from __future__ import annotations

import httpx
import pytest

from ingestion.sandbox import running


@pytest.mark.integration
def test_a_sandbox_runs_beside_its_reader_and_ends_with_the_block():
    with running(seed=2, stall_seconds=0.1) as sandbox:
        settings = sandbox.env()
        assert settings["TIEOUT_NOW"] == "2026-03-02T06:00:00.000Z"
        assert settings["RAISE_BASE_URL"] == sandbox.raise_base_url
        headers = {"Authorization": f"Bearer {settings['RAISE_API_TOKEN']}"}
        with httpx.Client(base_url=sandbox.raise_base_url, headers=headers, trust_env=False) as client:
            assert client.get("/api/Donor/list", params={"Take": 1}).json()["total"] == 300
            for fault in ("cut_bodies", "timeouts"):
                sandbox.set_faults({fault: 1.0})
                with pytest.raises((httpx.TransportError, ValueError)):
                    client.get("/api/Donor/list", params={"Take": 100}).json()
                sandbox.set_faults({fault: False})
        sandbox.observed()
        assert sandbox.advance(hours=26) == "2026-03-03T08:00:00.000Z" == sandbox.env()["TIEOUT_NOW"]
        assert sandbox.truth()["now"] == "2026-03-03T08:00:00.000Z"
        assert sandbox.counts()["raise"]["donors"] > 300
        assert sandbox.requests()["raise"]["total"] == 3
        with pytest.raises(ValueError, match="unknown fault"):
            sandbox.set_faults({"earthquake": True})
    with pytest.raises(httpx.ConnectError):
        httpx.get(settings["RAISE_BASE_URL"], trust_env=False)


def test_unknown_options_are_refused():
    with pytest.raises(TypeError), running(no_such_option=1):
        pass
