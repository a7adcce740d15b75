from pathlib import Path

import psutil
import pytest

from services.common.clock import ManualClock, SystemClock
from services.common.host import HostReader


def test_a_reading_is_plausible() -> None:
    figures = HostReader(SystemClock()).read()
    assert {"memory", "disk", "load", "uptime_seconds"} <= set(figures)
    assert 0.0 < figures["memory"] <= 100.0
    assert 0.0 <= figures["disk"] <= 100.0
    assert figures["uptime_seconds"] > 0.0


def test_cpu_is_the_share_between_two_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(psutil.cpu_times())
    zeros = dict.fromkeys(kind._fields, 0.0)
    readings = iter([kind(**zeros | {"user": 100.0, "idle": 900.0}), kind(**zeros | {"user": 130.0, "idle": 970.0})])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(readings))
    reader = HostReader(SystemClock())
    assert "cpu" not in reader.read()
    assert reader.read()["cpu"] == 30.0


def test_time_of_guests_is_not_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(psutil.cpu_times())
    if "guest" not in kind._fields:
        pytest.skip("this platform does not tell the time of guests")
    zeros = dict.fromkeys(kind._fields, 0.0)
    readings = iter([kind(**zeros), kind(**zeros | {"user": 50.0, "guest": 50.0, "idle": 50.0})])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(readings))
    reader = HostReader(SystemClock())
    reader.read()
    assert reader.read()["cpu"] == 50.0


def test_what_the_machine_does_not_show_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(*_args: object, **_kwargs: object) -> None:
        raise PermissionError

    for name in ("virtual_memory", "net_io_counters", "disk_io_counters", "getloadavg"):
        monkeypatch.setattr(psutil, name, hidden)
    figures = HostReader(ManualClock(2e9)).read()
    assert "disk" in figures
    assert not {"memory", "load", "network_receive_bytes_total", "disk_read_bytes_total"} & set(figures)


def test_traffic_within_the_machine_is_not_network_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = psutil.net_io_counters()
    kind = type(counters)
    zeros = dict.fromkeys(kind._fields, 0)
    by_name = {name: kind(**zeros | {"bytes_recv": size}) for name, size in (("eth0", 1), ("lo", 10), ("veth1", 100), ("wlan0", 2))}
    monkeypatch.setattr(psutil, "net_io_counters", lambda pernic: by_name)
    assert HostReader(SystemClock()).read()["network_receive_bytes_total"] == 3.0


def test_the_fullest_file_system_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(psutil.disk_usage("/"))
    percents = {"/": 20.0, "/data": 91.0}
    monkeypatch.setattr(psutil, "disk_usage", lambda path: usage(0, 0, 0, percents[path]))
    assert HostReader(SystemClock(), (Path("/"), Path("/data"))).read()["disk"] == 91.0
