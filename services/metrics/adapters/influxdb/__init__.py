"""The store on InfluxDB 1.x, 2.x and 3."""

from services.metrics.adapters.influxdb.address import InfluxAddress
from services.metrics.adapters.influxdb.options import InfluxOptions
from services.metrics.adapters.influxdb.store import InfluxStore

__all__ = ["InfluxAddress", "InfluxOptions", "InfluxStore"]
