"""What is wrong with the virtual fleet is told to those who ask the fleet, and never to the AI that is to find it out."""

from pathlib import Path

from services.all_in_one.app import NEEDS
from services.server_gen.domain.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]


def test_the_ai_has_no_way_to_the_fleet() -> None:
    assert "server_gen" not in NEEDS["ai_agent"]
    readers = [path for path in ROOT.glob("services/ai_agent/**/*.py") if "server_gen" in path.read_text("utf-8")]
    assert readers == []


def test_no_series_tells_of_faults() -> None:
    told = {part for metric in CATALOGUE for part in (metric.name, *(text for label in metric.labels for text in label))}
    assert not [part for part in told if "fault" in part or "scenario" in part or "truth" in part]
