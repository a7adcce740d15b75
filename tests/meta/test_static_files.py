"""What the gateway serves to browsers: two languages that match, and nothing from anywhere else."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "services/gateway/static"
OURS = sorted(path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts)
_ENTRY = re.compile(r'(\w+):\s*"((?:[^"\\]|\\.)*)"')
_NAMESPACE = "http://www.w3.org/"


def _words() -> dict[str, dict[str, str]]:
    """The tables of i18n.js by language."""
    text = (STATIC / "app/i18n.js").read_text(encoding="utf-8")
    blocks = re.findall(r"^  (\w\w): \{$(.*?)^  \},$", text, re.MULTILINE | re.DOTALL)
    return {language: dict(_ENTRY.findall(block)) for language, block in blocks}


def test_both_languages_have_the_same_words() -> None:
    words = _words()
    assert words.keys() == {"en", "ko"}
    assert len(words["en"]) > 50
    assert words["en"].keys() == words["ko"].keys()
    assert all(text.strip() for table in words.values() for text in table.values())


def test_every_word_that_a_page_uses_is_in_the_tables() -> None:
    known = _words()["en"]
    used = {
        (path.name, key)
        for path in OURS
        if path.suffix == ".js"
        for key in re.findall(r'\bt\("([^"]+)"\)', path.read_text("utf-8"))
    }
    used |= {
        (path.name, key) for path in OURS if path.suffix == ".html" for key in re.findall(r'data-text="([^"]+)"', path.read_text())
    }
    assert len(used) > 30
    assert {entry for entry in used if entry[1] not in known} == set()


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(STATIC)))
def test_a_page_names_no_other_host(path: Path) -> None:
    addresses = re.findall(r"(?:https?:)?//[A-Za-z0-9][\w.-]*\.[a-z]{2,}[^\s\"'`<>)]*", path.read_text("utf-8"))
    assert [address for address in addresses if not address.startswith(_NAMESPACE)] == []
