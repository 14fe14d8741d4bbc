"""What is installed, and what installs it, is known by hash; no package comes with terms that nobody read."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tests.licenses import LIST, UNKNOWN, Package, _license, as_bill, as_list, is_allowed, locked

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
LOCKS = [ROOT / "requirements.lock", *sorted((ROOT / "bootstrap").glob("*.txt"))]
PACKAGES = locked(LOCKS[0].read_text(encoding="utf-8"))

FIXED = {
    "filelock": "3.20.3",
    "orjson": "3.11.6",
    "pyarrow": "23.0.1",
    "python-dotenv": "1.2.2",
    "starlette": "1.3.1",
}
"""The first versions without the advisories that pyproject.toml names."""


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_has_hashes_and_no_index_is_named(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert re.findall(r"^[\w.-]+", text, re.MULTILINE) == [package.name for package in locked(text)]
    assert all(package.hashes for package in locked(text))
    assert not re.search(r"https?://|--(?:extra-)?index-url|--find-links|file:", text)


def test_the_bootstrap_is_of_the_versions_of_the_makefile() -> None:
    for name in ("uv", "pip", "pip-audit"):
        (version,) = re.findall(rf"^{name.replace('-', '_').upper()}_VERSION := (\S+)$", MAKEFILE, re.MULTILINE)
        assert f"\n{name}=={version} \\\n" in (ROOT / f"bootstrap/{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [MAKEFILE, *(flow.read_text() for flow in WORKFLOWS)], ids=["make", "audit", "ci"])
def test_nothing_is_installed_without_hashes_but_the_project_itself(text: str) -> None:
    installs = [line for line in text.splitlines() if re.search(r"\bpip (?:install|sync)\b", line)]
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps" not in line] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda flow: flow.stem)
def test_actions_are_named_by_commit_and_may_read_alone(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    uses = re.findall(r"uses: (.+)", text)
    assert uses
    assert [action for action in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)] == []
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}


def test_bounds_exclude_what_has_advisories() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {need.name: need.specifier for need in map(Requirement, project["dependencies"])}
    for name, fixed in FIXED.items():
        assert {bound.version for bound in bounds[name] if bound.operator == ">="} == {fixed}, name
        assert all(Version(package.version) >= Version(fixed) for package in PACKAGES if package.name == name)


def test_every_license_is_allowed() -> None:
    read = {package.name: package.license for package in PACKAGES if package.license}
    assert len(read) > 100
    assert {name: license_ for name, license_ in read.items() if not is_allowed(license_)} == {}


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        (("MIT", None, []), True),
        (("MPL-2.0 AND (Apache-2.0 OR MIT)", None, []), True),
        (("GPL-3.0-only OR MIT", None, []), True),
        (("MIT AND (GPL-3.0-only OR AGPL-3.0-only)", None, []), False),
        ((None, "GPLv3", []), False),
        ((None, "LGPL-3.0-or-later", ["License :: OSI Approved :: MIT License"]), False),
        ((None, "See the file", ["License :: OSI Approved :: MIT License"]), True),
        (
            (
                None,
                None,
                [
                    "License :: OSI Approved :: MIT License",
                    "License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
                ],
            ),
            False,
        ),
        ((None, None, ["License :: Other/Proprietary License"]), False),
        ((None, None, []), False),
    ],
)
def test_a_license_that_is_not_on_the_list_is_refused(
    said: tuple[str | None, str | None, list[str]], allowed: bool
) -> None:
    assert is_allowed(_license(*said)) is allowed
    assert not is_allowed(UNKNOWN)


def test_the_list_is_of_the_lock() -> None:
    """Of what other platforms or Pythons install, only the name and version can be compared here."""
    listed = LIST.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| (\d\S*) \| (.+) \|$", listed, re.MULTILINE)
    assert [row[:2] for row in rows] == [(package.name, package.version) for package in PACKAGES]
    here = [(row[2], package.license) for row, package in zip(rows, PACKAGES, strict=True) if package.license]
    assert [pair for pair in here if pair[0] != pair[1] and not pair[0].startswith("not installed")] == []
    assert as_list(PACKAGES).partition("\n| ")[0] == listed.partition("\n| ")[0]


def test_the_bill_of_materials_has_every_package() -> None:
    bill = json.loads(as_bill([*PACKAGES, Package("of-another-platform", "1", ("0" * 64,))]))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    purls = [component["purl"] for component in bill["components"]]
    assert purls == [f"pkg:pypi/{each.name}@{each.version}" for each in PACKAGES] + ["pkg:pypi/of-another-platform@1"]
    assert all(component["hashes"] for component in bill["components"])
    assert "licenses" not in bill["components"][-1]
