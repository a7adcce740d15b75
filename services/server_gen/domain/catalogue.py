"""The series of a virtual server: node_exporter's names and labels where it has the figure, our own where it has none."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Metric:
    """One series that every server has.

    Attributes:
        key: names the row in the simulation; one for each series.
        name: of the series.
        labels: besides those of the server.
        counter: whether it only grows, until it starts again from 0.
        unit: for people.
    """

    key: str
    name: str
    labels: tuple[tuple[str, str], ...] = ()
    counter: bool = False
    unit: str = ""


_ETH0: Final = (("device", "eth0"),)
_DISK0: Final = (("device", "nvme0n1"),)
_ROOT: Final = (("device", "/dev/nvme0n1p1"), ("fstype", "ext4"), ("mountpoint", "/"))


def _cpu(mode: str) -> Metric:
    # One row for all processors, as their average: the modes together grow by one second a second, like those of each processor.
    return Metric(f"cpu_{mode}", "node_cpu_seconds_total", (("cpu", "total"), ("mode", mode)), counter=True, unit="seconds")


CATALOGUE: Final = (
    Metric("cpu", "cpu", unit="percent"),
    Metric("memory", "memory", unit="percent"),
    Metric("disk", "disk", unit="percent"),
    Metric("swap", "swap", unit="percent"),
    Metric("latency", "latency", unit="milliseconds"),
    Metric("connections", "connections", unit="connections"),
    Metric("queue_depth", "queue_depth", unit="requests"),
    Metric("requests", "requests_total", counter=True, unit="requests"),
    Metric("errors", "request_errors_total", counter=True, unit="requests"),
    Metric("load1", "node_load1", unit="processes"),
    Metric("load5", "node_load5", unit="processes"),
    Metric("load15", "node_load15", unit="processes"),
    Metric("procs_running", "node_procs_running", unit="processes"),
    Metric("procs_blocked", "node_procs_blocked", unit="processes"),
    _cpu("idle"),
    _cpu("user"),
    _cpu("system"),
    _cpu("iowait"),
    _cpu("steal"),
    Metric("context_switches", "node_context_switches_total", counter=True, unit="switches"),
    Metric("memory_total", "node_memory_MemTotal_bytes", unit="bytes"),
    Metric("memory_available", "node_memory_MemAvailable_bytes", unit="bytes"),
    Metric("memory_cached", "node_memory_Cached_bytes", unit="bytes"),
    Metric("swap_total", "node_memory_SwapTotal_bytes", unit="bytes"),
    Metric("swap_free", "node_memory_SwapFree_bytes", unit="bytes"),
    Metric("disk_size", "node_filesystem_size_bytes", _ROOT, unit="bytes"),
    Metric("disk_available", "node_filesystem_avail_bytes", _ROOT, unit="bytes"),
    Metric("disk_read", "node_disk_read_bytes_total", _DISK0, counter=True, unit="bytes"),
    Metric("disk_written", "node_disk_written_bytes_total", _DISK0, counter=True, unit="bytes"),
    Metric("disk_io_time", "node_disk_io_time_seconds_total", _DISK0, counter=True, unit="seconds"),
    Metric("received", "node_network_receive_bytes_total", _ETH0, counter=True, unit="bytes"),
    Metric("transmitted", "node_network_transmit_bytes_total", _ETH0, counter=True, unit="bytes"),
    Metric("receive_drops", "node_network_receive_drop_total", _ETH0, counter=True, unit="packets"),
    Metric("retransmits", "node_netstat_Tcp_RetransSegs", counter=True, unit="segments"),
    Metric("established", "node_netstat_Tcp_CurrEstab", unit="connections"),
    Metric("files_open", "node_filefd_allocated", unit="files"),
    Metric("clock_offset", "node_timex_offset_seconds", unit="seconds"),
    Metric("time", "node_time_seconds", unit="seconds"),
    Metric("boot_time", "node_boot_time_seconds", unit="seconds"),
    Metric("start_time", "process_start_time_seconds", unit="seconds"),
)
"""Every server has all of them but latency, connections, queue_depth, requests and errors, which a server that serves nobody lacks."""

ROW: Final = {metric.key: row for row, metric in enumerate(CATALOGUE)}
"""Row of each key in the arrays of the simulation."""
