"""The shape of the repository: sizes of files, verbs of make, and where packages come from."""

import re
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK_FILES = sorted(ROOT.glob("requirements/*.txt"))
MAX_LINES = 400
VERBS = ["run", "test", "check", "bench", "protos", "lint", "type", "fmt", "browser-test", "up", "down", "docs", "clean", "help"]


def test_no_file_of_the_services_grows_past_what_can_be_read_at_once() -> None:
    sizes = {path: len(path.read_text("utf-8").splitlines()) for path in ROOT.glob("services/**/*.py")}
    assert len(sizes) > 100
    assert {str(path.relative_to(ROOT)): size for path, size in sizes.items() if size > MAX_LINES} == {}


def test_make_has_every_verb_and_tells_of_it() -> None:
    told = re.findall(r"^([a-z-]+):.*?## .+$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(VERBS) - set(told) == set()


@pytest.mark.parametrize("path", LOCK_FILES, ids=lambda path: path.name)
def test_a_lock_file_has_hashes_and_names_no_host(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--(extra-)?index-url|--find-links|--trusted-host", text, re.MULTILINE)
    packages = re.findall(r"^[A-Za-z0-9][^\n]*?==[^\n]*(?:\n[ \t]+[^\n]*)*", text, re.MULTILINE)
    assert packages
    assert [package.splitlines()[0] for package in packages if "--hash=sha256:" not in package] == []


def test_javascript_packages_have_hashes_and_name_no_host() -> None:
    lock = orjson.loads((ROOT / "package-lock.json").read_bytes())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


def test_what_is_installed_of_javascript_is_pinned() -> None:
    wanted = orjson.loads((ROOT / "package.json").read_bytes())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
