"""The series of one target: from the lines of its pages to rows of the store, and the markers where series end."""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.metrics.domain.ports import NAME_LABEL, Columns, IdArray, Labels, Reason, SampleStore, TimeArray
from services.metrics.domain.scrape.labelling import Labeller
from services.metrics.domain.scrape.line import Series
from services.metrics.domain.scrape.page import NO_TIME_MS, PageReader, PageSamples
from services.metrics.domain.scrape.target import Target
from services.metrics.domain.write import SampleWriter, Source

(STALE,) = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))
"""Prometheus's staleness marker: the series has no value from here on."""
REPORT_NAMES: Final = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
_DROPPED: Final = len(REPORT_NAMES)
"""The slot of every series that a rule drops; those before it are of the report, those after it of series that stay."""
_SPARE_SLOTS: Final = 1000
_NO_IDS: Final[IdArray] = np.empty(0, np.uint64)


@dataclass(frozen=True, slots=True)
class ScrapeReport:
    """What a scrape tells about itself: `up` and its companions."""

    up: bool
    duration_seconds: float
    scraped: int
    kept: int


class TargetSeries:
    """Reads the pages of one target and writes them.

    Args:
        target: whose pages they are.
        store: gives the ids.
        writer: takes the samples.
    """

    def __init__(self, target: Target, store: SampleStore, writer: SampleWriter) -> None:
        self._labeller = Labeller(target)
        self._honor_timestamps = target.job.honor_timestamps
        self._store = store
        self._writer = writer
        self._report_labels: list[Labels] = [
            tuple(sorted((*((n, v) for n, v in target.all_labels if n != NAME_LABEL), (NAME_LABEL, name)))) for name in REPORT_NAMES
        ]
        self._labels: list[Labels] = [*self._report_labels, ()]
        self._ids = _NO_IDS
        self._live = _NO_IDS
        self._live_slots: NDArray[np.int64] | None = None
        self._last_ms = 0
        self._reader = PageReader(self._slot_of)
        self.refusal = ""
        """Why the store did not take some series; empty when it took all."""

    def read(self, text: str, *, openmetrics: bool) -> PageSamples:
        """The samples of a page. May run in a thread, but not beside anything else of this object.

        Raises:
            PageError: it is not in the format.
            LabelLimitError: a series has more or longer labels than the job lets in.
        """
        return self._reader.read(text, openmetrics=openmetrics)

    @staticmethod
    def kept(samples: PageSamples) -> int:
        """How many of the samples no rule drops."""
        return int(np.count_nonzero(samples.slots != _DROPPED))

    async def write(self, samples: PageSamples | None, time_ms: int, report: ScrapeReport) -> None:
        """Write a page, the report of its scrape, and markers for the series that were on the page before and are not any more.

        Args:
            samples: None when there is no page.
            time_ms: of the scrape; of each sample whose line has no time, too.
            report: what is told of the scrape.

        Raises:
            UnavailableError: nothing was stored.
        """
        if samples is None:
            samples = PageSamples(np.empty(0, np.int64), np.empty(0, np.float64), None)
        for _ in range(2):
            await self._ask_for_ids()
            columns, live = self._columns(samples, time_ms, report)
            receipt = await self._writer.write(columns, Source.SCRAPE)
            if not any(error.reason is Reason.UNKNOWN_SERIES for error in receipt.errors):
                break
            # The store forgets series that have no samples left: ask again. What was accepted becomes a duplicate.
            self._ids = _NO_IDS
        self._last_ms = time_ms
        self._live = live
        self._live_slots = samples.slots if samples.times_ms is None else None
        if len(self._labels) > 2 * len(samples.slots) + _SPARE_SLOTS:
            self._forget_slots()

    async def end(self, time_ms: int) -> None:
        """Mark every series of the target as ended, those of the report among them.

        Raises:
            UnavailableError: nothing was stored.
        """
        ids = np.union1d(self._live, self._ids[:_DROPPED])
        ids = ids[ids != 0]
        if len(ids):
            time_ms = max(time_ms, self._last_ms + 1)  # a sample that is there already would stay
            columns = Columns(ids, np.full(len(ids), time_ms, np.int64), np.full(len(ids), STALE))
            await self._writer.write(columns, Source.SCRAPE)
        self._live, self._live_slots = _NO_IDS, None

    def _slot_of(self, series: Series) -> int:
        labels = self._labeller.labels_of(series)
        if labels is None:
            return _DROPPED
        self._labels.append(labels)
        return len(self._labels) - 1

    async def _ask_for_ids(self) -> None:
        known = len(self._ids)
        if known == len(self._labels):
            return
        wanted = self._labels[known:]
        registration = await self._store.register([labels for labels in wanted if labels])
        ids = np.zeros(len(wanted), np.uint64)
        ids[[bool(labels) for labels in wanted]] = registration.ids
        self._ids = np.concatenate([self._ids, ids])
        errors = registration.errors
        if errors:
            self.refusal = f"{len(errors)} series were not taken: {errors[0].message}"
        elif not known:
            self.refusal = ""

    def _columns(self, samples: PageSamples, time_ms: int, report: ScrapeReport) -> tuple[Columns, IdArray]:
        """The rows to write, and the ids of the series that are current with them."""
        ids = self._ids[samples.slots]
        times: TimeArray = np.full(len(ids), time_ms, np.int64)
        given = samples.times_ms if self._honor_timestamps else None
        if given is not None:
            times = np.where(given == NO_TIME_MS, times, given)
        live, added, gone = self._live, 0, _NO_IDS
        if given is not None or samples.slots is not self._live_slots:
            # Series that give their own times also end by their own account.
            live = np.unique(ids if given is None else ids[given == NO_TIME_MS])
            live = live[live != 0]
            added = len(np.setdiff1d(live, self._live, assume_unique=True))
            gone = np.setdiff1d(self._live, live, assume_unique=True)
        figures = (float(report.up), report.duration_seconds, float(report.scraped), float(report.kept), float(added))
        columns = Columns(
            np.concatenate([self._ids[:_DROPPED], ids, gone]),
            np.concatenate([np.full(_DROPPED, time_ms, np.int64), times, np.full(len(gone), time_ms, np.int64)]),
            np.concatenate([np.array(figures), samples.values, np.full(len(gone), STALE)]),
        )
        taken = columns.ids != 0
        return columns if taken.all() else columns.take(taken), live

    def _forget_slots(self) -> None:
        """Let go of the series that were on earlier pages: a target whose labels change all the time would fill the memory."""
        self._reader.forget()
        self._labels = [*self._report_labels, ()]
        self._ids = self._ids[: _DROPPED + 1]
        self._live_slots = None
