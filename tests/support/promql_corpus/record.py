"""Records what a Prometheus answers, for machines that have none.

    OPENMANAGER_TEST_PROMETHEUS=/usr/bin/prometheus python -m tests.support.promql_corpus.record

makes `tests/unit/metrics/promql_recorded/answers.jsonl.gz` anew; `tests/unit/metrics/test_promql_recorded.py` compares with it.
"""

import gzip
import json
import pathlib
import sys
import tempfile
from typing import Any, Final

from tests.support.promql_corpus.prometheus import BINARY_VARIABLE, Prometheus, find_binary, running_prometheus
from tests.support.promql_corpus.queries import RECORDED_INSTANT_MS, RECORDED_RANGE_MS, expressions, refused_texts
from tests.support.promql_corpus.series import corpus

ANSWERS: Final = pathlib.Path(__file__).parents[2] / "unit" / "metrics" / "promql_recorded" / "answers.jsonl.gz"


def recorded() -> list[dict[str, Any]]:
    """The answers: expression, and what a Prometheus said to it at an instant and (unless it is refused) over a range."""
    with gzip.open(ANSWERS, "rt") as lines:
        return [json.loads(line) for line in lines]


def ask(prometheus: Prometheus, expr: str) -> dict[str, Any]:
    """Both answers to one expression."""
    instant = prometheus.query(expr, RECORDED_INSTANT_MS)
    if instant.get("errorType") == "bad_data":
        return {"expr": expr, "instant": instant}
    return {"expr": expr, "instant": instant, "range": prometheus.query_range(expr, *RECORDED_RANGE_MS)}


def main() -> None:
    """Ask everything and write one line of JSON for each expression."""
    binary = find_binary()
    if binary is None:
        sys.exit(f"no Prometheus: install it, or name it in {BINARY_VARIABLE}")
    with tempfile.TemporaryDirectory() as folder, running_prometheus(binary, pathlib.Path(folder)) as prometheus:
        prometheus.write(corpus())
        lines = [json.dumps(ask(prometheus, expr), separators=(",", ":")) for expr in [*expressions(), *refused_texts()]]
    # Without a time in the header, so that the same answers make the same file.
    ANSWERS.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    print(f"{len(lines)} expressions recorded, {ANSWERS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
