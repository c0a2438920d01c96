"""Text from the network for a terminal: it may not move the cursor, colour the screen or fill it."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import BadOption

STAND_IN = "\N{REPLACEMENT CHARACTER}"


def plain(text: object, limit: int = 200) -> str:
    """``text`` on one line of at most ``limit`` characters; control and direction characters are replaced."""
    line = "".join(c if c.isprintable() else " " if c in "\t\n\r" else STAND_IN for c in str(text)[: limit + 1])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def hide(text: str, secrets: Iterable[str]) -> str:
    """``text`` without any of ``secrets``: a server may well quote the token that it refuses."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


def names(text: str | None, option: str) -> list[str] | None:
    """The names in a text, with commas between; None for none.

    :raises BadOption: if it holds no name
    """
    if text is None:
        return None
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise BadOption(f"{option}={text!r}: at least one name was expected, with commas between several.")
    return found
