"""The levels of health stand in two services, which may not import each other; here they are held together."""

from dataclasses import asdict

from services.ai_agent.domain.measures import HEALTH_THRESHOLDS
from services.metrics.domain.health import THRESHOLDS


def test_answers_and_the_list_of_servers_judge_health_by_the_same_levels() -> None:
    told = {name: asdict(threshold) for name, threshold in HEALTH_THRESHOLDS.items()}
    judged = {name: asdict(threshold) for name, threshold in THRESHOLDS.items()}
    assert told == judged
    assert all(level["warning"] < level["critical"] for level in told.values())
