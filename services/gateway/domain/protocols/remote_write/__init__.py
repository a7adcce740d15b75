"""Prometheus remote write 1.0: `prometheus.WriteRequest` into columns.

The message, by field number (prometheus.io, "Prometheus Remote-Write 1.0 specification"):

    WriteRequest  1 repeated TimeSeries timeseries, 3 repeated MetricMetadata metadata
    TimeSeries    1 repeated Label labels, 2 repeated Sample samples, 3 exemplars, 4 histograms
    Label         1 string name, 2 string value
    Sample        1 double value, 2 int64 timestamp (Unix ms); either is left out when it is 0

There are three ways through it, each giving what the next would give, only sooner:

1. `layout`: the request has the bytes of an earlier one but for values and times, which are gathered where they stand.
2. `scan`: samples are found by the shape of their bytes, and series by the bytes of their labels, in array operations but for one
   look-up a series. This is the way of a Prometheus, whose requests hold other series every time.
3. `walk`: every field is read as it comes. It knows all that the format allows, and decides what is refused.
"""

from services.gateway.domain.protocols.remote_write.decoder import Decoded, RemoteWriteDecoder

__all__ = ["Decoded", "RemoteWriteDecoder"]
