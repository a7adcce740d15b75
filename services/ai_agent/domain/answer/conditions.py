"""Thresholds in words: "CPU usage above 80 %", in every comparison, joined, between two bounds, now and in the past."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.ai_agent.domain.answer.figures import Facts, Figures, measure_in, scope_of, window_of
from services.ai_agent.domain.answer.model import Evidence
from services.ai_agent.domain.answer.tongue import Tongue, readable_scale
from services.ai_agent.domain.interpretation import Aggregation, Interpretation, Operator
from services.ai_agent.domain.measures import compared

GROWING: Final = (">", ">=")
_FALLING: Final = ("<", "<=")


@dataclass(frozen=True)
class _Korean:
    """A comparison before a noun now and in the past, before another comparison with "and" and with "or", and as a noun."""

    now: str
    past: str
    also: str
    either: str
    noun: str


_KOREAN: Final[Mapping[Operator, _Korean]] = {
    ">": _Korean("넘는", "넘은", "넘고", "넘거나", "초과"),
    ">=": _Korean("이상인", "이상이었던", "이상이고", "이상이거나", "이상"),
    "<": _Korean("미만인", "미만이었던", "미만이고", "미만이거나", "미만"),
    "<=": _Korean("이하인", "이하였던", "이하이고", "이하이거나", "이하"),
    "==": _Korean("같은", "같았던", "같고", "같거나", "동일"),
}
_PARTICLES: Final[Mapping[Operator, tuple[str, str]]] = {">": ("을", "를"), "==": ("과", "와")}
_ENGLISH: Final[Mapping[Operator, str]] = {">": "above", ">=": "of at least", "<": "below", "<=": "of at most", "==": "of exactly"}


@dataclass(frozen=True)
class Part:
    """One condition with the figures that it is held against, and its bound in the unit that it is told in."""

    figures: Figures
    op: Operator
    value: float
    bound: float
    unit: str


@dataclass(frozen=True)
class Conditions:
    """The conditions of a question: all must hold, or any of them when `either`."""

    parts: tuple[Part, ...]
    either: bool
    past: bool

    @classmethod
    async def load(cls, asked: Interpretation, facts: Facts, tongue: Tongue) -> "Conditions":
        """Read what they compare; over a stretch of time the highest figure counts for "above", the lowest for "below".

        Raises:
            MetricsUnavailableError: the store cannot be asked.
            QueryRejectedError: the store refuses the expression.
        """
        parts = []
        for condition in asked.conditions:
            reach: Aggregation = "max" if condition.op in GROWING else "min"
            measure, window = measure_in(asked, facts, condition.metric), window_of(asked, reach)
            figures = await Figures.load(facts, tongue, measure, scope_of(asked), window)
            divisor, unit = readable_scale(condition.value, figures.stored_unit)
            parts.append(Part(figures, condition.op, condition.value, condition.value / divisor, unit))
        return cls(tuple(parts), asked.either, asked.time.kind != "now")

    @property
    def first(self) -> Figures:
        """The figures of the first condition, which the answer lists."""
        return self.parts[0].figures

    @property
    def between(self) -> bool:
        """Whether they are the two bounds of one figure."""
        return (
            len(self.parts) == 2
            and not self.either
            and self.parts[0].figures.measure == self.parts[1].figures.measure
            and self.parts[0].op in GROWING
            and self.parts[1].op in _FALLING
        )

    @property
    def one_sided(self) -> bool:
        """Whether the servers at one end of the ranking come nearest to meeting the first condition."""
        return not self.between and self.parts[0].op != "=="

    @property
    def ascending(self) -> bool:
        """Whether lower figures meet the first condition sooner."""
        return self.parts[0].op in _FALLING

    def meeting(self) -> set[str]:
        """The servers that meet every condition, or any of them."""
        sets = [part.figures.holds(part.op, part.value) for part in self.parts]
        return set.union(*sets) if self.either else set.intersection(*sets)

    def nearest(self) -> str:
        """The server whose figure comes nearest to the first condition, or to the band between two bounds."""
        if self.one_sided:
            return self.first.ranked(ascending=self.ascending)[0]
        bounds = [part.value for part in self.parts[: 2 if self.between else 1]]
        values = self.first.values
        return min(sorted(values), key=lambda server: min(abs(values[server] - bound) for bound in bounds))

    def bounds(self, tongue: Tongue) -> tuple[Evidence, ...]:
        """The bounds as evidence, for they stand in the text: constants that rest on no sample."""
        return tuple(
            dict.fromkeys(
                part.figures.facts.constant(
                    f"{tongue.say('기준', 'threshold')} {tongue.plain(part.bound, part.unit)}", part.bound, part.unit
                )
                for part in self.parts
            )
        )

    async def count(self, facts: Facts, tongue: Tongue) -> Evidence | None:
        """How many servers meet them."""
        vectors = [compared(part.figures.vector(), part.op, part.value) for part in self.parts]
        joint = " or " if self.either else " and on (server) "
        expr = vectors[0] if len(vectors) == 1 else joint.join(f"({vector})" for vector in vectors)
        claim = tongue.say("조건에 맞는 서버", "servers that meet the condition:")
        return await facts.evidence(f"count({expr})", "servers", claim, tongue)

    def before_noun(self, tongue: Tongue) -> str:
        """`CPU 사용률이 80 %를 넘는` or `CPU usage above 80 %`."""
        return self._korean(tongue) if tongue.lang == "ko" else self._english(tongue)

    def as_noun(self, tongue: Tongue) -> str:
        """`CPU 사용률 80 % 초과` or `CPU usage above 80 %`."""
        if tongue.lang == "en":
            return self._english(tongue)
        joint = " 또는 " if self.either else ", "
        return joint.join(f"{_name(part, tongue)} {_bound(part, tongue)} {_KOREAN[part.op].noun}" for part in self.parts)

    def _korean(self, tongue: Tongue) -> str:
        if self.between:
            low, high = self.parts
            ends = f"{_bound(low, tongue)} {_KOREAN[low.op].noun} {_bound(high, tongue)} {_KOREAN[high.op].noun}"
            return f"{_subject(low, tongue)} {ends}{'였던' if self.past and high.op == '<=' else '이었던' if self.past else '인'}"
        words = []
        for index, part in enumerate(self.parts):
            forms = _KOREAN[part.op]
            last = index == len(self.parts) - 1
            verb = (forms.past if self.past else forms.now) if last else forms.either if self.either else forms.also
            bound = _bound(part, tongue)
            told = tongue.with_particle(bound, *_PARTICLES[part.op]) if part.op in _PARTICLES else bound
            words.append(f"{_subject(part, tongue)} {told} {verb}")
        return " ".join(words)

    def _english(self, tongue: Tongue) -> str:
        if self.between:
            low, high = self.parts
            if (low.op, high.op) == (">=", "<="):
                return f"{_name(low, tongue)} between {_bound(low, tongue)} and {_bound(high, tongue)}"
            return f"{_name(low, tongue)} {_ENGLISH[low.op]} {_bound(low, tongue)} and {_ENGLISH[high.op]} {_bound(high, tongue)}"
        joint = " or " if self.either else " and "
        return joint.join(f"{_name(part, tongue)} {_ENGLISH[part.op]} {_bound(part, tongue)}" for part in self.parts)


def _name(part: Part, tongue: Tongue) -> str:
    return tongue.metric(part.figures.measure.name)


def _subject(part: Part, tongue: Tongue) -> str:
    return tongue.with_particle(_name(part, tongue), "이", "가")


def _bound(part: Part, tongue: Tongue) -> str:
    return tongue.plain(part.bound, part.unit)
