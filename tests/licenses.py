"""The packages that tieout is built with: their licenses as a list, and all of them as a bill of materials.

`python -m tests.licenses` writes docs/licenses.md and dist/sbom.cdx.json, from requirements.lock and from what the
installed packages say of themselves.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIST, BILL = ROOT / "docs/licenses.md", ROOT / "dist/sbom.cdx.json"

_PERMISSIVE = {"0BSD", "Apache-2.0", "Artistic-1.0-Perl", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "MIT"}
ALLOWED = _PERMISSIVE | {"MPL-2.0", "PSF-2.0"}
"""MPL-2.0 asks for the source of its own files alone, which are used as they are."""

UNKNOWN = "unknown"
_ELSEWHERE = "not installed on this platform"

# What a package says in two places that only its license file puts together.
_READ_BY_HAND = {"text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later"}
_SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache v2": "Apache-2.0",
    "Apache-2": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_EXPRESSION = re.compile(r"\(?[\w.+-]+\)?(?: (?:AND|OR|WITH) \(?[\w.+-]+\)?)*")


@dataclass(frozen=True)
class Package:
    """One entry of the lock."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def license(self) -> str | None:
        """As an SPDX expression, or `UNKNOWN`; none where the package is for other platforms."""
        try:
            told = metadata.metadata(self.name)
        except metadata.PackageNotFoundError:
            return None
        return _READ_BY_HAND.get(self.name) or _license(
            told.get("License-Expression"), told.get("License"), told.get_all("Classifier") or []
        )


def _license(expression: str | None, text: str | None, classifiers: list[str]) -> str:
    # The first part that says something holds; of several classifiers all do.
    kinds = [kind.rpartition(" :: ")[2] for kind in classifiers if kind.startswith("License :: OSI Approved :: ")]
    for said in (expression, text, " AND ".join(_SPDX.get(kind, kind) for kind in kinds)):
        named = _SPDX.get(said or "", said or "")
        if _EXPRESSION.fullmatch(named):
            return named
    return UNKNOWN


def is_allowed(expression: str) -> bool:
    """Whether all that binds us in an SPDX expression is on the list."""
    while inner := re.search(r"\(([^()]*)\)", expression):
        verdict = "MIT" if is_allowed(inner[1]) else UNKNOWN
        expression = expression[: inner.start()] + verdict + expression[inner.end() :]
    return any(all(name in ALLOWED for name in part.split(" AND ")) for part in expression.split(" OR "))


def locked(text: str) -> list[Package]:
    """The packages of a lock file, by name."""
    entries = re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)(.*(?:\n    --hash.*)+)", text, re.MULTILINE)
    return [
        Package(name, version, tuple(re.findall(r"sha256:([0-9a-f]{64})", hashes))) for name, version, hashes in entries
    ]


def as_list(packages: list[Package]) -> str:
    """Markdown."""
    rows = [f"| {package.name} | {package.version} | {package.license or _ELSEWHERE} |" for package in packages]
    return (
        "# Licenses\n\nThe packages of `requirements.lock`, those of development included, and their licenses as SPDX"
        " names. Written by\n`make licenses`; a test refuses a license that is not on the list of `tests/licenses.py`."
        "\n\n| package | version | license |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def as_bill(packages: list[Package]) -> str:
    """CycloneDX 1.5, as JSON. Without a time and a number, so that the same lock makes the same file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{package.name}@{package.version}",
            "name": package.name,
            "version": package.version,
            "purl": f"pkg:pypi/{package.name}@{package.version}",
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.hashes],
            **({"licenses": [{"expression": package.license}]} if package.license else {}),
        }
        for package in packages
    ]
    ours = {"type": "application", "bom-ref": "tieout", "name": project["name"], "version": project["version"]}
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": ours}}
    return json.dumps(bill | {"components": components}, indent=2) + "\n"


def main() -> None:
    """Writes both files. Ends with 1 where a license is not allowed."""
    packages = locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    BILL.parent.mkdir(exist_ok=True)
    LIST.write_text(as_list(packages), encoding="utf-8")
    BILL.write_text(as_bill(packages), encoding="utf-8")
    refused = [f"{package.name}: {package.license}" for package in packages if not is_allowed(package.license or "MIT")]
    if refused:
        raise SystemExit("Not on the list of licenses: " + ", ".join(refused))


if __name__ == "__main__":
    main()
