"""Texts and labels as error messages show them: quoted as Go does it, because that is what readers of Prometheus' messages know."""

from services.metrics.domain.ports import Labels

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


def quote(text: str) -> str:
    """The text in double quotes, with escapes."""
    return '"' + "".join(_shown(character, '"') for character in text) + '"'


def quote_character(character: str) -> str:
    """One character in single quotes; the end of the text is U+FFFD."""
    return "'" + _shown(character or "\ufffd", "'") + "'"


def labels_text(labels: Labels) -> str:
    """A label set as `{a="b", c="d"}`; the name of the metric stands among them."""
    return "{" + ", ".join(f"{name}={quote(value)}" for name, value in labels) + "}"


def _shown(character: str, sign: str) -> str:
    if character == sign:
        return "\\" + sign
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
