"""The UI in a real browser: another page can do nothing with it, and its own pages work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

_MUTATION = """
mutation Launch($config: RunConfigData) {
  launchRun(executionParams: {
    selector: {
      jobName: "reconcile", repositoryName: "__repository__", repositoryLocationName: "orchestration.definitions"
    },
    runConfigData: $config
  }) { __typename ... on PythonError { message } ... on RunConfigValidationInvalid { errors { message } } }
}
"""
_ATTACK = """<!doctype html><title>attack</title><form id="form" method="post" target="frame" enctype="text/plain"
  action="%(ui)s/graphql"><input name='%(name)s' value='%(value)s'></form><iframe name="frame"></iframe>
<iframe id="framed" src="%(ui)s/"></iframe><script>
const ui = %(ui_json)s, body = %(body)s, query = "?query=" + encodeURIComponent(body.query) +
  "&variables=" + encodeURIComponent(JSON.stringify(body.variables));
const told = {};
async function attempt(name, make) { try { told[name] = await make(); } catch (error) { told[name] = "refused"; } }
const post = (type, mode) => fetch(ui + "/graphql", {
  method: "POST", mode, credentials: "include", headers: {"Content-Type": type}, body: JSON.stringify(body)
}).then(answer => answer.type === "opaque" ? "sent" : answer.text());
const socket = () => new Promise(done => {
  const opened = new WebSocket(ui.replace("http", "ws") + "/graphql", "graphql-ws");
  opened.onopen = () => { opened.send(JSON.stringify({type: "start", id: "1", payload: body})); done("open"); };
  opened.onerror = () => done("refused");
});
(async () => {
  await attempt("get", () => fetch(ui + "/graphql" + query, {mode: "no-cors"}).then(() => "sent"));
  await attempt("image", () => new Promise(done => {
    const image = new Image(); image.onload = image.onerror = () => done("sent"); image.src = ui + "/graphql" + query;
  }));
  await attempt("plain", () => post("text/plain", "no-cors"));
  await attempt("hidden", () => post("text/plain; x=application/json", "no-cors"));
  await attempt("json", () => post("application/json", "cors"));
  await attempt("read", () => fetch(ui + "/server_info").then(answer => answer.text()));
  await attempt("socket", socket);
  document.getElementById("form").submit();
  await new Promise(done => setTimeout(done, 1000));
  window.told = told;
})();
</script>"""


def ask(url: str, query: str, **headers: str) -> Any:
    request = urllib.request.Request(
        f"{url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[str]:
    """`tieout dev` in a folder of its own, and the address of its UI."""
    folder = tmp_path_factory.mktemp("ui")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "RAISE_API_TOKEN": "secret"}
    port = free_port()
    command = [Path(sys.executable).with_name("tieout"), "dev", "--port", str(port)]
    with (
        (folder / "out").open("w") as out,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out) as dev,
    ):
        try:
            url = f"http://localhost:{port}"
            for _ in range(600):
                assert dev.poll() is None, (folder / "out").read_text()
                try:
                    if ask(url, "{ workspaceOrError { __typename } }"):
                        break
                except (urllib.error.URLError, ConnectionError):
                    time.sleep(0.5)
            yield url
        finally:
            dev.send_signal(signal.SIGINT)
            assert dev.wait(60) == 0


@contextmanager
def page(text: str) -> Iterator[str]:
    """Somebody else's page, at another port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def runs(url: str) -> list[Any]:
    found: list[Any] = ask(url, "{ runsOrError { ... on Runs { results { runId } } } }")["data"]["runsOrError"][
        "results"
    ]
    return found


def test_another_page_starts_nothing_and_sees_nothing(browser: Chrome, ui: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    config = {
        "resources": {
            "transformer": {"config": {"dbt_executable": "/bin/sh", "global_config_flags": ["-c", f"touch {trace}"]}}
        }
    }
    body = {"query": _MUTATION, "variables": {"config": json.dumps(config)}}
    name, value = json.dumps({**body, "x": "="}).split("=", 1)
    fields = {
        "ui": ui,
        "ui_json": json.dumps(ui),
        "body": json.dumps(body),
        "name": name.replace("'", "&#39;"),
        "value": value,
    }
    with page(_ATTACK % fields) as attack:
        # At the address of the UI's own host too, where only the port differs.
        for address in (attack, attack.replace("127.0.0.1", "localhost")):
            browser.get(address)
            told = WebDriverWait(browser, 60).until(lambda driver: driver.execute_script("return window.told"))
            assert (told["json"], told["read"], told["socket"]) == ("refused", "refused", "refused"), told
            browser.switch_to.frame("framed")
            assert "Dagster" not in browser.title + browser.page_source
            browser.switch_to.default_content()
            # A link may lead to the pages of the UI, and by no spelling to what is executed.
            query = urlencode({"query": _MUTATION, "variables": json.dumps(body["variables"])})
            browser.execute_script("location = arguments[0]", f"{ui}/graphql%0A?{query}")
            WebDriverWait(browser, 60).until(lambda driver: "Another web page" in driver.page_source)
    assert runs(ui) == []
    assert not trace.exists()


_OWN_SOCKET = """
const [path, done] = arguments, opened = new WebSocket(location.origin.replace("http", "ws") + path, "graphql-ws");
opened.onopen = () => done("open");
opened.onerror = () => done("refused");
"""


def test_its_own_pages_work(browser: Chrome, ui: str) -> None:
    # What the pages before it were refused.
    browser.get_log("browser")
    browser.get(f"{ui}/assets")
    WebDriverWait(browser, 120).until(lambda driver: "crm_plus_api" in driver.find_element(By.TAG_NAME, "body").text)
    browser.get(f"{ui}/jobs")
    WebDriverWait(browser, 120).until(lambda driver: "reconcile" in driver.find_element(By.TAG_NAME, "body").text)
    assert browser.execute_async_script(_OWN_SOCKET, "/graphql") == "open"
    errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not errors


def test_run_configuration_reaches_no_program(ui: str, tmp_path: Path) -> None:
    """Also for somebody who is let in."""
    trace = tmp_path / "trace"
    config = {
        "resources": {
            "transformer": {"config": {"dbt_executable": "/bin/sh", "global_config_flags": ["-c", f"touch {trace}"]}}
        }
    }
    answer = ask(
        ui, _MUTATION.replace("($config: RunConfigData)", "").replace("$config", json.dumps(json.dumps(config)))
    )
    assert answer["data"]["launchRun"]["__typename"] == "RunConfigValidationInvalid"
    assert runs(ui) == []
