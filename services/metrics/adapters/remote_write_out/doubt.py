"""Whether samples are in the store, asked after a crash or a failure in between offering and storing them."""

import numpy as np

from services.metrics.domain.ports import NAME_LABEL, Columns, Matcher, MatchOp, SampleStore

_NAMES_AT_ONCE = 100


async def stored(store: SampleStore, columns: Columns) -> Columns:
    """Those of the samples that the store holds, bit for bit.

    Raises:
        OpenManagerError: the store cannot say so now.
    """
    if not len(columns):
        return columns
    ids = np.unique(columns.ids)
    names = sorted({dict(labels)[NAME_LABEL] for labels in store.labels_of(ids) if labels})
    start_ms, end_ms = int(columns.timestamps_ms.min()), int(columns.timestamps_ms.max())
    held: set[tuple[int, int, int]] = set()
    for begin in range(0, len(names), _NAMES_AT_ONCE):
        # No name of a metric has a character that means something in a regular expression.
        matcher = Matcher(NAME_LABEL, MatchOp.REGEX, "|".join(names[begin : begin + _NAMES_AT_ONCE]))
        found = await store.select([matcher], start_ms, end_ms)
        of_row = np.repeat(found.ids, np.diff(found.offsets))
        ours = np.isin(of_row, ids)
        held.update(
            zip(of_row[ours].tolist(), found.timestamps_ms[ours].tolist(), found.values.view(np.int64)[ours].tolist(), strict=True)
        )
    rows = zip(columns.ids.tolist(), columns.timestamps_ms.tolist(), columns.values.view(np.int64).tolist(), strict=True)
    return columns.take(np.array([row in held for row in rows], np.bool_))
