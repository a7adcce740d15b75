"""Regular expressions in queries: those of the store, refused in the words of a query."""

from services.common.errors import InvalidArgumentError
from services.metrics.domain.matching import Pattern, compile_pattern
from services.metrics.domain.promql.errors import BadDataError


def check_pattern(text: str) -> Pattern:
    """The pattern compiled; match whole values with `fullmatch`.

    Raises:
        BadDataError: it is not a regular expression.
    """
    try:
        return compile_pattern(text)
    except InvalidArgumentError as error:
        raise BadDataError(error.message) from error
