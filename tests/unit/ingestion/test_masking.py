"""Secrets are found in every form in which a server may repeat them, and nothing else is touched."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion import masking
from ingestion.errors import SettingsError
from ingestion.masking import MASK, Mask
from ingestion.plain_text import clean_logs

SECRET = "marked+raise/token='0123&x\\y~"
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "in a URL": lambda text: quote(text, safe=""),
    "in a form": quote_plus,
    "in a URL within a URL": lambda text: quote(quote(text, safe=""), safe=""),
    "in JSON": lambda text: json.dumps(text)[1:-1],
    "in JSON with slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "in JSON within JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "every character an escape of JSON": lambda text: "".join(f"\\u{ord(c):04X}" for c in text),
    "in JSON as .NET writes it": lambda text: json.dumps(text)[1:-1].replace("+", "\\u002B").replace("'", "\\u0027"),
    "in HTML": lambda text: text.replace("&", "&amp;").replace("'", "&#39;"),
    "in HTML with hexadecimal references": lambda text: "".join(f"&#x{ord(c):X};" for c in text),
    "in Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in Base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "in Base64 in a URL": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "in Base64, behind one character": lambda text: base64.b64encode(f":{text}".encode()).decode(),
    "in Base64, behind two": lambda text: base64.b64encode(f"a:{text}b".encode()).decode(),
    "in Base64, with Bearer": lambda text: base64.b64encode(f"Bearer {text}".encode()).decode(),
}
LENGTHS = pytest.mark.parametrize("length", [0, 5_000], ids=["short", "long"])


@LENGTHS
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_secret_is_hidden_in_every_form(form: Callable[[str], str], length: int) -> None:
    text = f"{'.' * length}Bearer <{form(SECRET)}> was sent"
    assert form(SECRET) in text
    hidden = Mask([SECRET, "another-secret"]).text(text)
    assert hidden.startswith("." * length + "Bearer <")
    assert hidden.endswith("> was sent")
    assert MASK in hidden
    # What stood before it in the same Base64 may stay.
    assert len(hidden) <= length + len("Bearer <> was sent") + len(MASK) + len("QmVhcmVyI")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60), st.data())
def test_any_secret_is_hidden(secret: str, data: st.DataObject) -> None:
    if not masking.can_be_masked(secret):
        return
    form = data.draw(st.sampled_from(sorted(FORMS)))
    said = FORMS[form](secret)
    for before in ("", "." * 5_000):
        hidden = Mask([secret]).text(f"{before}<{said}>")
        assert said not in hidden
        assert secret.lower() not in hidden.lower()


@given(st.text())
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert Mask([SECRET]).text(text) == text
    assert Mask().text(text) == text


def test_json_stays_json() -> None:
    body = json.dumps({"items": [{"id": 1, SECRET: [SECRET, {"deep": f"a {SECRET} b"}]}], "total": 1})
    assert json.loads(Mask([SECRET]).text(body)) == {
        "items": [{"id": 1, MASK: [MASK, {"deep": f"a {MASK} b"}]}],
        "total": 1,
    }


def test_the_longest_secret_is_hidden_first() -> None:
    assert Mask(["abcdefgh-1", "abcdefgh-1-and-more"]).text("<abcdefgh-1-and-more>") == f"<{MASK}>"


@pytest.mark.parametrize("secret", ["", "short", "1234567890123"])
def test_what_would_be_found_in_innocent_texts_is_not_searched(secret: str) -> None:
    assert Mask([secret]).text("a short text with 1234567890123") == "a short text with 1234567890123"


def test_many_secrets_are_searched_as_one() -> None:
    secrets = [f"secret-number-{number:04}" for number in range(100)]
    mask = Mask(secrets)
    assert mask.text("<secret-number-0099>") == f"<{MASK}>"
    assert mask.text(f"{'.' * 5_000}<secret-number-0050>") == f"{'.' * 5_000}<{MASK}>"
    assert mask.table(pa.table({"a": ["secret-number-0042"]})).to_pylist() == [{"a": MASK}]


@pytest.mark.parametrize("where", [slice(0, None), slice(1, None), slice(2, None), slice(0, 1), slice(0, 0)])
def test_tables_are_searched_column_by_column(where: slice) -> None:
    texts = ["innocent", SECRET, None, f"a {SECRET.upper()}", "", "é"]
    table = pa.table({"number": range(6), "text": texts, "other": ["x"] * 6, "none": pa.nulls(6, pa.string())})
    start, stop, _ = where.indices(6)
    found = Mask([SECRET]).table(table.slice(start, stop - start))
    assert found.schema == table.schema
    hidden = ["innocent", MASK, None, f"a {MASK}", "", "é"]
    assert found["text"].to_pylist() == hidden[where]
    assert found["other"].to_pylist() == (["x"] * 6)[where]


def test_a_secret_over_two_values_hides_neither() -> None:
    table = pa.table({"text": [SECRET[:10], SECRET[10:]]})
    assert Mask([SECRET]).table(table) == table


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(masking, "_known", Mask())
    masking.learn([SECRET])
    return SECRET


def test_an_error_shows_no_secret_that_is_known(known: str) -> None:
    assert str(SettingsError(f"{known} is wrong.")) == f"{MASK} is wrong."


def test_logs_show_none(known: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(logging, "_logRecordFactory", logging.LogRecord)
    clean_logs()
    clean_logs()
    log = logging.getLogger("masked")
    log.warning("sent %s", known)
    try:
        raise ValueError(f"odd: {known}")
    except ValueError:
        log.exception("reading %s", {"key": quote(known)})
    assert caplog.messages == [f"sent {MASK}", f"reading {{'key': '{MASK}'}}"]
    assert f"ValueError: odd: {MASK}" in caplog.text
    assert known not in caplog.text
