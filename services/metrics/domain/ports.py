"""What the metrics service needs of a store of samples, and the values that pass between them.

Samples travel as columns: equally long numpy arrays, one row a sample. Times are Unix milliseconds everywhere, a range is
inclusive at both ends, and a label that a series does not have counts as the empty string.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

IdArray: TypeAlias = NDArray[np.uint64]
TimeArray: TypeAlias = NDArray[np.int64]
ValueArray: TypeAlias = NDArray[np.float64]
MaskArray: TypeAlias = NDArray[np.bool_]

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values, ascending by name, the name of the series under `__name__`; no empty values."""

NAME_LABEL: Final = "__name__"
MIN_TIME_MS: Final = -(2**62)
MAX_TIME_MS: Final = 2**62
MAX_ROW_ERRORS: Final = 100
"""A receipt describes this many refused rows at most; its counts are complete."""


class MatchOp(StrEnum):
    """How a matcher compares a label with its value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label; regular expressions must match the whole value."""

    name: str
    op: MatchOp
    value: str


class WriteMode(StrEnum):
    """How old samples may be."""

    LIVE = "live"
    IMPORT = "import"


class Reason(StrEnum):
    """Why a row was refused."""

    TOO_OLD = "TOO_OLD"
    IN_FUTURE = "IN_FUTURE"
    LATE = "LATE"
    UNKNOWN_SERIES = "UNKNOWN_SERIES"
    INVALID_LABELS = "INVALID_LABELS"
    SERIES_LIMIT = "SERIES_LIMIT"
    STORE_REFUSED = "STORE_REFUSED"


@dataclass(frozen=True, slots=True)
class RowError:
    """One refused row: its index in the call, and why."""

    index: int
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """What a store takes in.

    Attributes:
        retention_ms: samples older than this before now are refused.
        late_ms: a live sample may be this much older than the newest of its series.
        future_ms: samples may be this much ahead of now.
        max_series: series in the whole store.
        max_series_per_server: series with the same value of the label `server`.
    """

    retention_ms: int = 30 * 86_400_000
    late_ms: int = 86_400_000
    future_ms: int = 600_000
    max_series: int = 1_000_000
    max_series_per_server: int = 50_000


@dataclass(frozen=True, slots=True)
class Registration:
    """Ids of series in the order asked, 0 where refused; `errors` has every refused one."""

    ids: IdArray
    errors: tuple[RowError, ...] = ()


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples as columns of equal length n: ids u64[n], timestamps_ms i64[n], values f64[n]."""

    ids: IdArray
    timestamps_ms: TimeArray
    values: ValueArray

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: MaskArray | NDArray[np.int64] | slice) -> "Columns":
        """The chosen rows, in order."""
        return Columns(self.ids[rows], self.timestamps_ms[rows], self.values[rows])

    @staticmethod
    def empty() -> "Columns":
        """No samples."""
        return Columns(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.float64))

    @staticmethod
    def concatenated(parts: "Sequence[Columns]") -> "Columns":
        """The rows of all parts, in order."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Columns.empty()
        return Columns(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.timestamps_ms for part in parts]),
            np.concatenate([part.values for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch of n samples; accepted + rejected + duplicate + late == n.

    Attributes:
        errors: the first `MAX_ROW_ERRORS` rows that were rejected or late.
        mask: bool[n], true for the rows that were accepted.
    """

    accepted: int
    rejected: int
    duplicate: int
    late: int
    errors: tuple[RowError, ...]
    mask: MaskArray


@dataclass(frozen=True, slots=True)
class SeriesData:
    """Samples of k series, one series after the other (compressed sparse rows).

    Series i has the rows `offsets[i]:offsets[i + 1]` of `timestamps_ms` (ascending, unique) and `values`. Series without a
    sample in the range are left out; the order is ascending by id.

    Attributes:
        ids: u64[k].
        labels: k label sets.
        offsets: i64[k + 1], first 0, last m.
        timestamps_ms: i64[m].
        values: f64[m].
    """

    ids: IdArray
    labels: list[Labels]
    offsets: NDArray[np.int64]
    timestamps_ms: TimeArray
    values: ValueArray

    def __len__(self) -> int:
        return len(self.ids)

    @staticmethod
    def empty() -> "SeriesData":
        """No series."""
        none = Columns.empty()
        return SeriesData(none.ids, [], np.zeros(1, np.int64), none.timestamps_ms, none.values)


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Figures of a store for telemetry, the memory monitor and the admin panel.

    `bad_blocks` counts blocks that failed their checksum since the start, `write_failures` transactions that did not commit.
    """

    series: int = 0
    head_samples: int = 0
    head_bytes: int = 0
    blocks: int = 0
    block_samples: int = 0
    block_bytes: int = 0
    journal_bytes: int = 0
    cache_bytes: int = 0
    bad_blocks: int = 0
    write_failures: int = 0
    seals: int = 0
    extra: Mapping[str, float] = field(default_factory=dict)


class SampleStore(Protocol):
    """Keeps series and their samples. One per service; safe to call from many tasks of one event loop."""

    @property
    def store_id(self) -> str:
        """Names this store for as long as its ids are valid."""
        ...

    @property
    def limits(self) -> StoreLimits:
        """What the store takes in."""
        ...

    async def register(self, series: Sequence[Sequence[tuple[str, str]]]) -> Registration:
        """Give each series its id, making those that are new; durable on return, ids are never used again for another series.

        Labels may come in any order; labels with an empty value are dropped. A refused series has id 0 and an error.

        Raises:
            UnavailableError: the store could not write (`STORE_WRITE_FAILED`).
        """
        ...

    async def append(self, columns: Columns, *, mode: WriteMode = WriteMode.LIVE, now_ms: int) -> Receipt:
        """Store a batch; durable on return. The arrays belong to the store from here on and must not be written again.

        What is accepted of a batch becomes durable at once: a crash leaves all of it or nothing.

        Raises:
            UnavailableError: nothing of the batch was stored (`STORE_WRITE_FAILED`).
        """
        ...

    def labels_of(self, ids: IdArray) -> list[Labels]:
        """Label sets of the series; an empty tuple for an id that is not (or no longer) known."""
        ...

    def matching(self, matchers: Sequence[Matcher]) -> IdArray:
        """Ids of all series that meet every matcher, ascending; all series when there is no matcher.

        Raises:
            InvalidArgumentError: a regular expression that cannot be used (`INVALID_REGEX`).
        """
        ...

    async def select(
        self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, *, max_samples: int | None = None
    ) -> SeriesData:
        """Samples with start_ms <= time <= end_ms of the series that meet every matcher.

        Raises:
            InvalidArgumentError: a regular expression that cannot be used (`INVALID_REGEX`).
            ResourceExhaustedError: more than `max_samples` would have to be read (`TOO_MANY_SAMPLES`).
        """
        ...

    async def select_series(
        self, matchers: Sequence[Matcher], start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[tuple[int, Labels]]:
        """Series that meet every matcher and whose span from first to newest sample touches the range, ascending by id."""
        ...

    async def latest(self, matchers: Sequence[Matcher] = (), *, ids: IdArray | None = None) -> Columns:
        """The newest sample of each series, ascending by id; series without samples are left out.

        With `ids`, the matchers are not looked at.
        """
        ...

    async def label_names(
        self, matchers: Sequence[Matcher] = (), start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[str]:
        """Names of the labels of the series that `select_series` gives, ascending."""
        ...

    async def label_values(
        self, name: str, matchers: Sequence[Matcher] = (), start_ms: int = MIN_TIME_MS, end_ms: int = MAX_TIME_MS
    ) -> list[str]:
        """Values of one label over the series that `select_series` gives, ascending."""
        ...

    async def delete_before(self, time_ms: int) -> int:
        """Forget samples older than this, and series of which nothing newer is held; gives the number of series forgotten."""
        ...

    async def delete_series(self, matchers: Sequence[Matcher]) -> int:
        """Forget the series that meet every matcher, with all their samples; gives their number. Durable on return.

        Batches that were given to `append` before do not bring them back, and their ids are never used again.

        Raises:
            UnavailableError: nothing was deleted (`STORE_WRITE_FAILED`).
        """
        ...

    async def flush(self) -> None:
        """Bring everything into its long-term form; a no-op where there is only one form."""
        ...

    async def close(self) -> None:
        """Finish what is under way and release the files; later calls are refused. Idempotent."""
        ...

    def stats(self) -> StoreStats:
        """Present figures; cheap."""
        ...
