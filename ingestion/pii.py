"""What names a person, hashed or left out before it is compared, loaded or told: `PII_MODE`.

Hashes are salted and of the folded text, so that equal names and addresses stay equal: records still match by them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from pydantic import SecretStr

from ingestion.columns import Kind, Resource
from ingestion.settings import PiiMode, Settings

# What classifies a value tells nobody's name, and the warehouse needs it: `contactMethods[].type`.
_CLASSIFIES = re.compile(r"(.*[a-z])?type(display)?|.*source", re.IGNORECASE)
_NUMBERS_A_PERSON = re.compile(r"phone|fax|mobile|zip|postal", re.IGNORECASE)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:?\d\d)?)?")
# What the warehouse needs of a delivered payload, as text: which record it is, when it changed, whether it syncs.
_OF_A_PAYLOAD = {
    "id": re.compile(r"\d{1,19}"),
    "recurringGiftId": re.compile(r"\d{1,19}"),
    "canSync": re.compile(r"\s*(true|false)\s*", re.IGNORECASE),
    "modifiedDate": (_LOCAL_INSTANT := re.compile(r"\d{1,4}[/-]\d\d?[/-]\d{1,4}[\d:.T\s]*([AP]M)?", re.IGNORECASE)),
    "modifiedDateTime": _LOCAL_INSTANT,
}
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\ufeff"))


class Veil:
    """Hides what names a person: behind salted hashes, or by leaving it out."""

    def __init__(self, salt: bytes, *, leaves_out: bool = False) -> None:
        self.salt = salt
        self._leaves_out = leaves_out

    def text(self, value: str | None) -> str | None:
        """The hash of a text, without regard to case and spaces; None for none, and where texts are left out."""
        folded = " ".join((value or "").translate(_INVISIBLE).split()).lower()
        if not folded or self._leaves_out:
            return None
        return hmac.new(self.salt, folded.encode(), hashlib.sha256).hexdigest()[:32]

    def json(self, value: str | None) -> str | None:
        """JSON with its texts hidden, but for what classifies, and instants."""
        if value is None:
            return None
        try:
            return orjson.dumps(self._hidden(orjson.loads(value), "")).decode()
        except orjson.JSONDecodeError:
            return self.text(value)

    def table(self, table: pa.Table, resource: Resource) -> pa.Table:
        """A table of a resource's rows with its personal fields hidden, and all texts in `extra_fields`."""
        hide = {column.name: column.kind for column in resource if column.wire in resource.personal}
        for name, kind in {**hide, "extra_fields": Kind.JSON}.items():
            values = table[name].to_pylist()
            # A text column may hold JSON: the payload of a webhook.
            hidden = [
                self.json(value) if kind is Kind.JSON or _is_object(value) else self.text(value) for value in values
            ]
            place = table.schema.get_field_index(name)
            table = table.set_column(place, table.field(place), pa.array(hidden, table.field(place).type))
        return table

    def _hidden(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._hidden(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._hidden(inner, key) for inner in value]
        if isinstance(value, str):
            if _CLASSIFIES.fullmatch(key) or _INSTANT.fullmatch(value) or _tells_of_a_payload(key, value):
                return value
            return self.json(value) if _is_object(value) else self.text(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and _NUMBERS_A_PERSON.search(key):
            return self.text(str(value))
        return value


def veil_of(settings: Settings) -> Veil | None:
    """How `PII_MODE` hides what is read; None where it keeps it."""
    if settings.pii_mode is PiiMode.KEEP:
        return None
    salt = _salt(settings.pii_salt, settings.state_path)
    return Veil(salt, leaves_out=settings.pii_mode is PiiMode.DROP)


def _salt(given: SecretStr | None, folder: Path) -> bytes:
    """The salt that is set; else a random one, made once and kept beside the warehouse for its owner alone."""
    if given:
        return given.get_secret_value().encode()
    path = folder / "pii_salt"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(secrets.token_hex(32), encoding="ascii")
    except FileExistsError:
        pass
    return path.read_bytes()


def _tells_of_a_payload(key: str, value: str) -> bool:
    return key in _OF_A_PAYLOAD and bool(_OF_A_PAYLOAD[key].fullmatch(value))


def _is_object(value: str | None) -> bool:
    """Whether a text seems to be a JSON object or list, or a JSON text that holds one."""
    return value is not None and value.lstrip().removeprefix('"').lstrip()[:1] in ("{", "[")
