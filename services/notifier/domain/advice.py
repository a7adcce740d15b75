"""What to do next, for the concepts that everybody watches. Plain checklists: nothing here claims to know the cause."""

from collections.abc import Iterable
from typing import Final

_ADVICE: Final[tuple[tuple[tuple[str, ...], dict[str, tuple[str, ...]]], ...]] = (
    (
        ("cpu", "load"),
        {
            "en": (
                "See which processes use the CPU (top, pidstat) and whether the load is new.",
                "Compare with the last deployment and with scheduled jobs.",
            ),
            "ko": (
                "어떤 프로세스가 CPU를 쓰는지(top, pidstat), 새로 생긴 부하인지 확인하세요.",
                "최근 배포와 예약 작업 시각과 비교하세요.",
            ),
        },
    ),
    (
        ("memory", "mem", "swap"),
        {
            "en": (
                "See which processes hold the memory and whether it grows steadily, which points to a leak.",
                "Look for out-of-memory kills in the kernel log.",
            ),
            "ko": (
                "어떤 프로세스가 메모리를 잡고 있는지, 계속 늘고 있는지(누수 의심) 확인하세요.",
                "커널 로그에서 OOM 종료 기록을 확인하세요.",
            ),
        },
    ),
    (
        ("disk", "filesystem"),
        {
            "en": (
                "Find what grows on the disk (du, large logs) and free or extend it.",
                "Check that log rotation and retention work.",
            ),
            "ko": (
                "디스크에서 무엇이 늘어나는지(du, 큰 로그) 찾아 정리하거나 용량을 늘리세요.",
                "로그 순환과 보존 설정이 동작하는지 확인하세요.",
            ),
        },
    ),
    (
        ("network", "net_", "latency"),
        {
            "en": ("Check errors and saturation of the network path and the health of what the server depends on.",),
            "ko": ("네트워크 경로의 오류와 포화, 그리고 의존하는 서비스의 상태를 확인하세요.",),
        },
    ),
    (
        ("temperature", "thermal", "temp_celsius", "temp_temp"),
        {"en": ("Check fans, air flow and the room's temperature.",), "ko": ("팬과 공기 흐름, 실내 온도를 확인하세요.",)},
    ),
)


def recommendations(metrics: Iterable[str], lang: str) -> tuple[str, ...]:
    """What to do next when an alert stands on these metrics; empty when nothing can be said from their names."""
    marked = [f"_{metric.lower()}" for metric in metrics]  # so that a word of the name begins where `_` stands before it
    found: list[str] = []
    for names, texts in _ADVICE:
        if any(f"_{name}" in metric for name in names for metric in marked):
            found.extend(texts[lang])
    return tuple(found)
