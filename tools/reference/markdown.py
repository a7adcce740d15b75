"""Markdown that several pages need."""

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Made by `make docs` from the code; edit that. -->"


def page(title: str, introduction: str, sections: Iterable[str]) -> str:
    """A whole page, ending in one newline."""
    return "\n\n".join((GENERATED, f"# {title}", introduction.strip(), *(section.strip() for section in sections))) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown in one line."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)


def link(name: str) -> str:
    """A link to the heading of a type on the same page."""
    return f"[{name}](#{name.lower()})"
