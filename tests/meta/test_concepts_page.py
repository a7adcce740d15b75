"""The page about concepts tells every formula as it stands in the table."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/concepts.md").read_text(encoding="utf-8")
TABLE = tomllib.loads((ROOT / "services/metrics/domain/concepts.toml").read_text(encoding="utf-8"))


def _sections() -> dict[str, str]:
    parts = PAGE.split("\n### ")[1:]
    return {name: text for name, _, text in (part.partition("\n") for part in parts)}


def test_every_formula_is_told_under_its_concept_and_in_order() -> None:
    sections = _sections()
    concepts = {name: row for name, row in TABLE.items() if name != "matchers"}
    assert list(sections) == list(concepts)
    for name, row in concepts.items():
        places = []
        for formula in row["formulas"]:
            told = next(formula[kind] for kind in ("gauge", "counters", "expression") if kind in formula)
            for text in [told] if isinstance(told, str) else told:
                assert text in sections[name], text
                places.append(sections[name].index(f"{text}\n"))
        assert places == sorted(places), name
        assert f"Unit: {row['unit'].replace('_', ' ')}." in sections[name]


def test_every_pattern_is_told() -> None:
    for name, pattern in TABLE["matchers"].items():
        escaped = pattern.replace("|", "\\|")
        assert f"| `${name}` | `{escaped}` |" in PAGE
