"""Hides what names or describes a person before it is compared, loaded or reported: `PII_MODE`.

Kept is what is declared as impersonal; everything else is hidden. Hashes are salted and of the folded text, so that
equal names and addresses stay equal: records still match by them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from filelock import FileLock
from pydantic import SecretStr

from ingestion import impersonal, masking
from ingestion.columns import BOOKKEEPING, Column, Kind, Resource
from ingestion.errors import SettingsError
from ingestion.impersonal import Keep
from ingestion.settings import SHORTEST_SALT, PiiMode, Settings

RULES = 2
"""Goes up when more is hidden than before: rows that were loaded by older rules would stay readable."""

LEFT_OUT = "(left out)"
"""Instead of a text that is not kept, where it matters that there was one."""

_EXTRA_FIELDS = next(column for column in BOOKKEEPING if column.kind is Kind.JSON)
# Whose names of members are types of integrations.
_LINKS = "crmKeyUrls"
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\ufeff"))


class Veil:
    """Hides what may name a person: behind salted hashes, or by leaving it out."""

    def __init__(self, salt: bytes, *, leaves_out: bool = False) -> None:
        self.salt = salt
        self._leaves_out = leaves_out

    def text(self, value: str | None) -> str | None:
        """The hash of a text, without regard to case and spaces; None for none, and where texts are left out."""
        folded = " ".join((value or "").translate(_INVISIBLE).split()).lower()
        if not folded or self._leaves_out:
            return None
        return hmac.new(self.salt, folded.encode(), hashlib.sha256).hexdigest()[:32]

    def kept(self, text: str, keep: Keep) -> str | None:
        """What is kept of a text; else that there was one."""
        return keep(text) or self.text(text) or (LEFT_OUT if text.strip() else None)

    def field_name(self, name: str, resource: Resource) -> str:
        """The name of a field of a resource's rows, hidden where no documentation knows it."""
        if name in resource.spelled or name in impersonal.SPELLED:
            return name
        return f"hidden_{hidden[:12]}" if (hidden := self.text(name)) else LEFT_OUT

    def table(self, table: pa.Table, resource: Resource) -> pa.Table:
        """A table of a resource's rows with everything hidden that is not declared as impersonal."""
        for column in (*resource.columns, _EXTRA_FIELDS):
            hide = self._hiding(column, resource)
            if hide is None:
                continue
            place = table.schema.get_field_index(column.name)
            field = table.field(place)
            if column.kind in (Kind.TEXT, Kind.JSON):
                # Most texts come many times.
                values = table[column.name].combine_chunks().dictionary_encode()
                texts = pa.array([hide(text) for text in values.dictionary.to_pylist()], field.type)
                hidden = texts.take(values.indices)
            else:
                hidden = pa.nulls(table.num_rows, field.type)
            table = table.set_column(place, field, hidden)
        return table

    def _hiding(self, column: Column, resource: Resource) -> Keep | None:
        """What becomes of the texts of a column; None where all of its values are kept."""
        if column.wire in resource.nested:
            nested = _Nested(self, resource, column.wire, resource.nested[column.wire])
            return nested.links if column.wire == _LINKS else nested.json
        if column.wire in resource.impersonal:
            keep = impersonal.TEXTS.get(column.wire, impersonal.label)
            return (lambda text: self.kept(text, keep)) if column.kind is Kind.TEXT else None
        return _Nested(self, resource, column.wire).json if column.kind is Kind.JSON else self.text


_UNWRITABLE = (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError)
"""No JSON, or nested deeper than can be written again."""


class _Nested:
    """Hides what stands in JSON: values, but for those of `kept` names, and names that no documentation knows."""

    def __init__(self, veil: Veil, resource: Resource, wire: str, kept: frozenset[str] = frozenset()) -> None:
        self._veil = veil
        self._wire = wire
        self._spelled = resource.spelled | impersonal.SPELLED
        self._kept = kept
        # In which envelope a payload comes is not documented.
        self._is_payload = kept == impersonal.OF_A_PAYLOAD

    def json(self, text: str) -> str | None:
        """A JSON text without what it hides; of what is no JSON, its hash."""
        try:
            return orjson.dumps(self._hidden(orjson.loads(text), self._wire, self._kept)).decode()
        except _UNWRITABLE:
            return self._veil.text(text)

    def links(self, text: str) -> str | None:
        """The same of a map from types of integrations to links, or of a list of both."""
        try:
            return orjson.dumps(self._links(orjson.loads(text))).decode()
        except _UNWRITABLE:
            return self._veil.text(text)

    def _links(self, found: Any) -> Any:
        if isinstance(found, dict):
            return {self._type(name): self._link(value) for name, value in found.items()}
        entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
        return [{"type": self._type(entry.get("type")), "url": self._link(entry.get("url"))} for entry in entries]

    def _type(self, name: Any) -> str | None:
        return self._veil.kept(name, impersonal.integration) if isinstance(name, str) else None

    def _link(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {"url": self._link(value.get("url"))}
        return self._veil.kept(value, impersonal.link) if isinstance(value, str) else None

    def _hidden(self, value: Any, name: str, kept: frozenset[str]) -> Any:
        if isinstance(value, dict):
            return self._object(value, kept)
        if isinstance(value, list):
            return [self._hidden(inner, name, kept) for inner in value]
        if value is None:
            return None
        if isinstance(value, str) and self._is_payload and _is_json(value):
            return self.json(value)
        if name not in kept:
            return self._veil.text(value if isinstance(value, str) else orjson.dumps(value).decode())
        if isinstance(value, str):
            return impersonal.NESTED_TEXTS.get(name, impersonal.machine)(value) or self._veil.text(value)
        return value

    def _object(self, value: dict[str, Any], kept: frozenset[str]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        hidden_names = 0
        for name, inner in value.items():
            within = kept if name in kept or self._is_payload else frozenset[str]()
            hidden = self._hidden(inner, name, within)
            if name in self._spelled or name.lower() in self._spelled:
                made[name] = hidden
            elif hidden not in (None, {}, []):
                made[self._veil.text(name) or f"left_out_{hidden_names}"] = hidden
                hidden_names += 1
        return made


def veil_of(settings: Settings) -> Veil | None:
    """How `PII_MODE` hides what is read; None where it keeps it."""
    if not settings.hides_persons:
        return None
    salt = _salt(settings.pii_salt, settings.state_path)
    # It is a part of queries, which errors quote.
    masking.learn([salt.decode(errors="replace"), salt.hex()])
    return Veil(salt, leaves_out=settings.pii_mode is PiiMode.DROP)


def _salt(given: SecretStr | None, folder: Path) -> bytes:
    """The salt that is set; else a random one, made once and kept beside the warehouse for its owner alone."""
    if given:
        return given.get_secret_value().encode()
    path = folder / "pii_salt"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "pii_salt.lock"):
        if not path.exists():
            _make_salt(path)
        salt = path.read_bytes()
    if len(salt) < SHORTEST_SALT:
        raise SettingsError(
            f"{path} is damaged, and hashes without a salt can be guessed: put it back from a backup, or move the"
            " warehouse away with its .state folder and the published file, and run again."
        )
    return salt


def _make_salt(path: Path) -> None:
    """Whole or not at all: a disk may be full, and a process killed."""
    draft = path.with_name("pii_salt.draft")
    draft.touch(mode=0o600)
    with draft.open("w", encoding="ascii") as opened:
        opened.write(secrets.token_hex(32))
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(path)


def _is_json(value: str) -> bool:
    """Whether a text seems to be a JSON object or list, or a JSON text that holds one."""
    return value.lstrip().removeprefix('"').lstrip()[:1] in ("{", "[")


def fault_of_mode(settings: Settings, loaded: str | None, rules: int | None) -> str | None:
    """Why nothing can be read into a warehouse that was loaded in this mode, by these rules; None where it can."""
    mode, loaded = settings.pii_mode.value, loaded or PiiMode.KEEP.value
    if loaded != mode:
        return (
            f"PII_MODE is {mode}, and the warehouse was loaded with {loaded}: set it back, or move the"
            " warehouse away, with its .state folder, and run again."
        )
    if settings.hides_persons and (rules or 1) < RULES:
        return (
            f"PII_MODE {mode} hides more than when the warehouse was loaded, and what was loaded stays:"
            " move the warehouse away, with its .state folder and the published file, and run again."
        )
    return None
