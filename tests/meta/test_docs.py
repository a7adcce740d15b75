"""The pages that people read agree with the code and with each other."""

import re
from pathlib import Path

import pytest

from tools.generate_docs import FOLDER, PAGES
from tools.reference.settings import known_variables

ROOT = Path(__file__).resolve().parents[2]
PROSE = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PLACES = [*PROSE, ROOT / "docker-compose.yml", ROOT / "Dockerfile", ROOT / "Makefile", ROOT / ".ci/run"]
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _anchors(path: Path) -> list[str]:
    """The anchors of a page's headings, as a forge makes them."""
    headings = _HEADING.findall(_FENCED.sub("", path.read_text(encoding="utf-8")))
    return [re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_made_from_the_code_is_fresh(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


@pytest.mark.parametrize("page", PROSE, ids=_name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        goal = (page.parent / file).resolve() if file else page
        assert goal.exists(), f"{target} leads nowhere"
        assert goal.is_relative_to(ROOT), f"{target} leads out of the repository"
        if anchor:
            # A heading that is there twice gets another anchor, so that a link to it leads to the wrong one.
            assert _anchors(goal).count(anchor) == 1, f"{target}: no such heading, or several"


@pytest.mark.parametrize("place", PLACES, ids=_name)
def test_variables_that_are_mentioned_exist(place: Path) -> None:
    known = known_variables()
    mentioned = set(re.findall(r"OPENMANAGER_[A-Z][A-Z0-9_]*", place.read_text(encoding="utf-8")))
    unknown = {
        name
        for name in mentioned
        if name not in known
        and name.removesuffix("_FILE") not in known
        and not name.startswith(("OPENMANAGER_PEERS__", "OPENMANAGER_TEST_"))
        and not name.endswith("_")  # the start of a family of names
    }
    assert not unknown


def test_every_setting_is_on_the_page() -> None:
    page = (FOLDER / "settings.md").read_text(encoding="utf-8")
    assert "OPENMANAGER_METRICS_RETENTION_DAYS" in page
    assert "OPENMANAGER_PEERS__NAME" in page
    for variable in ("OPENMANAGER_LISTEN", "OPENMANAGER_ADMIN_TOKEN", "OPENMANAGER_DATABASE_URL", "OPENMANAGER_CONFIG"):
        assert f"`{variable}`" in page
