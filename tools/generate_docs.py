"""Writes docs/reference/ from the code: `python -m tools.generate_docs [--check]`; with --check it only tells which pages are stale."""

import argparse
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from tools.reference.grpc import grpc_page
from tools.reference.http import http_page
from tools.reference.settings import settings_page

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs/reference"


def buf() -> Path:
    """The program buf of this environment."""
    return Path(sysconfig.get_path("scripts")) / "buf"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "http.md": http_page,
    "grpc.md": lambda: grpc_page(ROOT, buf()),
}


def main() -> int:
    """Write what is stale, or only tell of it; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/reference/ from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a page is stale")
    check: bool = parser.parse_args().check
    stale = 0
    for name, make in PAGES.items():
        file, text = FOLDER / name, make()
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if check:
            print(f"{file.relative_to(ROOT)} is stale: run 'make docs'", file=sys.stderr)
        else:
            FOLDER.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(f"written: {file.relative_to(ROOT)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
