"""No number leaves without its evidence."""

import pytest

from services.ai_agent.domain.answer.model import Draft, Evidence, Sentence
from services.ai_agent.domain.answer.verify import unproved, verify


def evidence(value: float) -> Evidence:
    return Evidence("", "cpu", 0, value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("CPU 91.2 %", [91.2499]),
        ("CPU 91 %", [91.49]),
        ("20 servers, 3 above", [20.0, 3.0]),
        ("1,234.5 MB/s", [1234.46]),
        ("-3.2 °C", [-3.21]),
        ("fell by 3.2", [-3.21]),
        ("0.0 %", [0.04]),
        ("no number at all", []),
    ],
)
def test_rounded_figures_hold(text: str, values: list[float]) -> None:
    assert unproved(text, [evidence(value) for value in values]) == []


@pytest.mark.parametrize(
    ("text", "value"), [("91.2 %", 91.3), ("92 %", 91.2), ("20 servers", 19.0), ("91.20", 91.21), ("1 server", float("nan"))]
)
def test_other_numbers_do_not(text: str, value: float) -> None:
    assert len(unproved(text, [evidence(value)])) == 1


def test_digits_of_names_are_no_figures() -> None:
    draft = Draft((Sentence("web-01 and 10.0.0.7 are fine."), Sentence("web-010 is 5 %.", (evidence(5.0),))))
    verified = verify(draft, ["web-01", "10.0.0.7"])
    assert verified.sentences == ("web-01 and 10.0.0.7 are fine.",)
    assert verified.withheld == ("web-010 is 5 %.",)


def test_a_false_sentence_is_withheld_and_takes_its_evidence_along() -> None:
    good, bad = evidence(10.0), evidence(20.0)
    verified = verify(Draft((Sentence("It is 10.", (good,)), Sentence("It is 21.", (bad,))), (Sentence("Add 3 disks."),)), [])
    assert verified.sentences == ("It is 10.",)
    assert verified.evidence == (good,)
    assert verified.recommendations == ()
    assert verified.withheld == ("It is 21.", "Add 3 disks.")


def test_each_sentence_is_held_against_its_own_evidence() -> None:
    verified = verify(Draft((Sentence("A is 10.", (evidence(10.0),)), Sentence("B is 10.", (evidence(11.0),)))), [])
    assert verified.sentences == ("A is 10.",)
