"""Label sets, and the index that finds series by them."""

import re
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from services.metrics.domain.matching import predicate
from services.metrics.domain.ports import NAME_LABEL, IdArray, Labels, Matcher, MatchOp

MAX_LABELS: Final = 64
MAX_LABEL_BYTES: Final = 4096
_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_CACHED_SELECTIONS: Final = 256


class InvalidLabelsError(ValueError):
    """A label set that no series may have; the message says why."""


def canonical(labels: Sequence[tuple[str, str]]) -> Labels:
    """The label set in its one form: ascending by name, without empty values.

    Raises:
        InvalidLabelsError: a bad or repeated label name, a bad or missing metric name, too many or too long labels.
    """
    kept = sorted((name, value) for name, value in labels if value)
    if len(kept) > MAX_LABELS:
        raise InvalidLabelsError(f"{len(kept)} labels; at most {MAX_LABELS} are taken")
    previous = None
    metric = ""
    for name, value in kept:
        if not _LABEL_NAME.fullmatch(name):
            raise InvalidLabelsError(f"label name {name[:64]!r} does not match {_LABEL_NAME.pattern}")
        if name == previous:
            raise InvalidLabelsError(f"label {name[:64]!r} is given twice")
        if len(name) + len(value) > MAX_LABEL_BYTES // 4 and len(name.encode()) + len(value.encode()) > MAX_LABEL_BYTES:
            raise InvalidLabelsError(f"label {name[:64]!r} is longer than {MAX_LABEL_BYTES} bytes")
        if name == NAME_LABEL:
            metric = value
        previous = name
    if not _METRIC_NAME.fullmatch(metric):
        raise InvalidLabelsError(
            f"metric name {metric[:64]!r} does not match {_METRIC_NAME.pattern}" if metric else "no metric name"
        )
    return tuple(kept)


class SeriesIndex:
    """Finds series by their labels.

    For each label value it keeps the ids that have it (an inverted index), so a selection costs by the size of its result
    and, for regular expressions, by the number of different values. Ids must be added in ascending order.
    Not safe to share between threads without a lock.
    """

    def __init__(self) -> None:
        self._ids: dict[Labels, int] = {}
        self._labels: dict[int, Labels] = {}
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self._postings: dict[str, dict[str, array[int]]] = {}
        self._selections: OrderedDict[tuple[Matcher, ...], IdArray] = OrderedDict()
        self._version = 0

    def __len__(self) -> int:
        return len(self._labels)

    def __iter__(self) -> Iterator[int]:
        return iter(self._labels)

    @property
    def version(self) -> int:
        """Changes with each series that comes or goes."""
        return self._version

    def find(self, labels: Labels) -> int:
        """Id of the series, 0 when there is none."""
        return self._ids.get(labels, 0)

    def labels(self, series_id: int) -> Labels:
        """Label set of the series, empty when there is none."""
        return self._labels.get(series_id, ())

    def count(self, name: str, value: str) -> int:
        """How many series have this label value."""
        posting = self._postings.get(name, {}).get(value)
        return 0 if posting is None else len(posting)

    def add(self, series_id: int, labels: Labels) -> None:
        """Add a series in canonical form whose id is above all others."""
        shared = tuple([self._pairs.setdefault(pair, pair) for pair in labels])
        self._ids[shared] = series_id
        self._labels[series_id] = shared
        for name, value in shared:
            self._postings.setdefault(name, {}).setdefault(value, array("Q")).append(series_id)
        self._changed()

    def remove(self, ids: Iterable[int]) -> None:
        """Remove series; unknown ids are ignored."""
        gone: set[int] = set()
        touched: set[tuple[str, str]] = set()
        for series_id in ids:
            labels = self._labels.pop(series_id, None)
            if labels is not None:
                del self._ids[labels]
                gone.add(series_id)
                touched.update(labels)
        if not gone:
            return
        removed = np.fromiter(gone, np.uint64, len(gone))
        for name, value in touched:
            kept = np.setdiff1d(_as_ids(self._postings[name][value]), removed, assume_unique=True)
            if len(kept):
                self._postings[name][value] = array("Q", kept.tobytes())
                continue
            del self._postings[name][value]
            del self._pairs[(name, value)]
            if not self._postings[name]:
                del self._postings[name]
        self._changed()

    def matching(self, matchers: Sequence[Matcher]) -> IdArray:
        """Ids of the series that meet every matcher, ascending. The array is shared: do not write to it.

        Raises:
            InvalidArgumentError: a regular expression that cannot be used (`INVALID_REGEX`).
        """
        key = tuple(matchers)
        found = self._selections.get(key)
        if found is None:
            found = self._search(key)
            found.flags.writeable = False
            self._selections[key] = found
            if len(self._selections) > _CACHED_SELECTIONS:
                self._selections.popitem(last=False)
        else:
            self._selections.move_to_end(key)
        return found

    def names(self, ids: IdArray) -> list[str]:
        """Label names of these series, ascending."""
        if len(ids) == len(self._labels):
            return sorted(self._postings)
        return sorted({name for series_id in ids.tolist() for name, _ in self.labels(series_id)})

    def values(self, name: str, ids: IdArray) -> list[str]:
        """Values that these series have for the label, ascending."""
        if len(ids) == len(self._labels):
            return sorted(self._postings.get(name, ()))
        return sorted({value for series_id in ids.tolist() for key, value in self.labels(series_id) if key == name})

    def _changed(self) -> None:
        self._version += 1
        if self._selections:
            self._selections.clear()

    def _search(self, matchers: tuple[Matcher, ...]) -> IdArray:
        tests = [(matcher, predicate(matcher)) for matcher in matchers]
        with_label: list[IdArray] = []
        without: list[IdArray] = []
        for matcher, accepts in tests:
            postings = self._postings.get(matcher.name, {})
            if not accepts(""):
                if matcher.op is MatchOp.EQUAL:
                    with_label.append(_as_ids(postings.get(matcher.value)))
                else:
                    with_label.append(_union([posting for value, posting in postings.items() if accepts(value)]))
            else:
                without.append(_union([posting for value, posting in postings.items() if not accepts(value)]))
        if with_label:
            with_label.sort(key=len)
            found = with_label[0]
            for ids in with_label[1:]:
                found = np.intersect1d(found, ids, assume_unique=True)
        else:
            found = np.fromiter(self._labels, np.uint64, len(self._labels))
        for ids in without:
            found = np.setdiff1d(found, ids, assume_unique=True)
        return found


def _as_ids(posting: "array[int] | None") -> IdArray:
    """A copy, because an array that lends its buffer out cannot grow."""
    return np.empty(0, np.uint64) if posting is None else np.array(posting, dtype=np.uint64)


def _union(postings: "list[array[int]]") -> IdArray:
    """Postings of one label do not overlap, so sorting is all there is to do."""
    if not postings:
        return np.empty(0, np.uint64)
    if len(postings) == 1:
        return _as_ids(postings[0])
    return np.sort(np.concatenate([_as_ids(posting) for posting in postings]))
