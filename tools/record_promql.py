"""Record what a Prometheus answers, for `tests/unit/metrics/test_promql_recorded.py`.

Load the series into an empty Prometheus first:

    promtool tsdb create-blocks-from openmetrics tests/unit/metrics/promql_recorded/series.om DATA
    prometheus --storage.tsdb.path=DATA --storage.tsdb.retention.time=100y --config.file=EMPTY --web.listen-address=127.0.0.1:9090
    python tools/record_promql.py http://127.0.0.1:9090
"""

import argparse
import json
import pathlib
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "unit" / "metrics" / "promql_recorded"
INSTANT_SECONDS = 1_700_000_601.234
RANGE_SECONDS = (1_700_000_000, 1_700_001_200, 240)


def main() -> None:
    """Ask every expression and write one line of JSON for each."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("url", help="address of the Prometheus")
    url = arguments.parse_args().url
    start, end, step = RANGE_SECONDS
    lines = []
    for expr in (FOLDER / "expressions.txt").read_text().splitlines():
        instant = answer(url, "query", query=expr, time=INSTANT_SECONDS)
        over_range = answer(url, "query_range", query=expr, start=start, end=end, step=step)
        lines.append(json.dumps({"expr": expr, "instant": instant, "range": over_range}, separators=(",", ":")))
    (FOLDER / "answers.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} expressions recorded")


def answer(url: str, path: str, **parameters: object) -> dict[str, Any]:
    """Kind and content of an answer: pairs of labels and value, pairs of labels and points, a number or text, or an error type."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as response:  # noqa: S310 (the address is the caller's own)
            data = json.load(response)["data"]
    except urllib.error.HTTPError as error:
        return {"error": json.load(error)["errorType"]}
    result = data["result"]
    match data["resultType"]:
        case "vector":
            return {"vector": [[one["metric"], one["value"][1]] for one in result]}
        case "matrix":
            return {"matrix": [[one["metric"], one["values"]] for one in result]}
        case kind:
            return {kind: result[1]}


if __name__ == "__main__":
    main()
