"""Which series are known, which are new and which are refused."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.metrics.domain.ports import IdArray, Labels, Reason, Registration, RowError, StoreLimits
from services.metrics.domain.series import InvalidLabelsError, SeriesIndex, canonical

SERVER_LABEL = "server"


@dataclass(frozen=True)
class RegistrationPlan:
    """What a registration would do: the answer, and the series to be made so that it holds."""

    registration: Registration
    new: list[tuple[int, Labels]]


def plan_registration(
    index: SeriesIndex, series: Sequence[Sequence[tuple[str, str]]], limits: StoreLimits, next_id: int
) -> RegistrationPlan:
    """Look every series up and give ids from `next_id` to the new ones, within the limits. Changes nothing."""
    ids: list[int] = []
    errors: list[RowError] = []
    new: dict[Labels, int] = {}
    per_server: dict[str, int] = {}
    for row, given in enumerate(series):
        try:
            labels = canonical(given)
        except InvalidLabelsError as error:
            errors.append(RowError(row, Reason.INVALID_LABELS, str(error)))
            ids.append(0)
            continue
        series_id = index.find(labels) or new.get(labels, 0)
        if not series_id:
            server = next((value for name, value in labels if name == SERVER_LABEL), "")
            if server not in per_server:
                per_server[server] = index.count(SERVER_LABEL, server)
            refusal = _over_limit(len(index) + len(new), server, per_server[server], limits)
            if refusal is None:
                series_id = next_id + len(new)
                new[labels] = series_id
                per_server[server] += 1
            else:
                errors.append(RowError(row, Reason.SERIES_LIMIT, refusal))
        ids.append(series_id)
    registration = Registration(np.array(ids, np.uint64), tuple(errors))
    return RegistrationPlan(registration, [(series_id, labels) for labels, series_id in new.items()])


def known_ids(index: SeriesIndex, series: Sequence[Sequence[tuple[str, str]]]) -> IdArray | None:
    """Ids when every series is known in exactly the form given, the case of nearly every call; else None."""
    ids = [index.find(tuple(labels)) for labels in series]
    return np.array(ids, np.uint64) if all(ids) else None


def _over_limit(series: int, server: str, of_server: int, limits: StoreLimits) -> str | None:
    if series >= limits.max_series:
        return f"the store holds {series} series, its limit; delete some or raise the limit"
    if server and of_server >= limits.max_series_per_server:
        return f"server {server[:64]!r} has {of_server} series, its limit; is a label changing all the time?"
    return None
