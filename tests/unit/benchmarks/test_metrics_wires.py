"""What the benchmark of metrics sends is what it says it sends."""

import itertools

import cramjam
import numpy as np

from benchmarks.metrics.wires import LINES, REMOTE_WRITE, day_bodies, encoder
from benchmarks.metrics.workload import DAY_STEPS, METRICS, STEP_MS, Workload, host_name, steps
from tests.support.remote_write import WriteRequest

TIME_MS = 1_790_000_000_000
HOSTS = range(3, 5)


def test_remote_write_holds_every_value_at_its_place() -> None:
    values = next(steps(len(HOSTS)))
    request = WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(encoder(REMOTE_WRITE, HOSTS)(TIME_MS, values))))
    found = {
        tuple(sorted((label.name, label.value) for label in series.labels)): [(one.value, one.timestamp) for one in series.samples]
        for series in request.timeseries
    }
    assert len(found) == len(HOSTS) * METRICS
    for row, host in enumerate(HOSTS):
        for metric in range(METRICS):
            labels = ("__name__", f"node_metric_{metric:02}"), ("host", host_name(host)), ("job", "node")
            assert found[labels] == [(values[row, metric], TIME_MS)]


def test_lines_hold_every_value() -> None:
    values = next(steps(len(HOSTS)))
    lines = encoder(LINES, HOSTS)(TIME_MS, values).decode().splitlines()
    for line, row in zip(lines, values, strict=True):
        _, fields, time_ns = line.split(" ")
        assert [float(field.partition("=")[2]) for field in fields.split(",")] == row.tolist()
        assert int(time_ns) == TIME_MS * 1_000_000


def test_day_ends_a_step_before_the_workload() -> None:
    requests = [WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(body))) for body in day_bodies(REMOTE_WRITE, TIME_MS)]
    times = [sample.timestamp for request in requests for sample in request.timeseries[0].samples]
    assert times == [TIME_MS - k * STEP_MS for k in range(DAY_STEPS, 0, -1)]


def test_steps_are_the_same_in_every_run_and_of_the_kinds_they_are_said_to_be() -> None:
    first, again = (np.stack(list(itertools.islice(steps(4), 50))) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(first[..., :10], np.round(first[..., :10], 1))
    assert (np.diff(first[..., 10:15], axis=0) >= 0).all()
    assert (first[..., 15:18] == first[0, :, 15:18]).all()
    assert len(np.unique(first[..., 18:])) == first[..., 18:].size


def test_senders_share_the_hosts() -> None:
    workload = Workload(hosts=1_200, steps=1, start_ms=0)
    hosts = [host for sender in range(2) for batch in workload.batches(sender) for host in batch]
    assert hosts == list(range(1_200))
    assert max(len(batch) for sender in range(2) for batch in workload.batches(sender)) == 500
