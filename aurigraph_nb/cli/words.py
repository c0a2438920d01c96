"""Errors of the package in the words of the command line: ``protocol='x'`` there is ``--protocol x`` here.

The package's messages name the arguments of Python calls. What a verb calls them follows from its own options; where a
name differs, :data:`ALIASES` says so. Names that a verb has no option for stay as they are.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

ALIASES: Mapping[str, Mapping[str, str]] = {
    "serve": {"quirks": "--quirk", "broadcast": "--no-broadcast", "compression": "--no-compression"},
    "export": {"path": "--out"},
    "record": {"path": "PATH", "url": "URL", "insecure_token_hosts": "--insecure-token-host"},
    "watch": {"insecure_token_hosts": "--insecure-token-host"},
}
"""By verb: what an argument of a Python call is called there, where it is not called the same."""


class Word(NamedTuple):
    """How a verb spells an option."""

    yes: str
    """``--speed``; of an argument its place, ``PATH``; of a flag what turns it on."""
    no: str = ""
    """What turns a flag off, where there is such."""


class Param(Protocol):
    """What is read of a parameter of a command."""

    name: str | None
    opts: list[str]
    secondary_opts: list[str]
    metavar: str | None


class Command(Protocol):
    """What is read of a command."""

    @property
    def params(self) -> Sequence[Any]: ...


def vocabulary(verb: str, command: Command) -> dict[str, Word]:
    """What the arguments of Python calls are called at a verb.

    :param verb: its name, for the aliases
    :param command: with its options
    """
    words: dict[str, Word] = {}
    for param in command.params:
        name = str(param.name)
        if not any(option.startswith("-") for option in param.opts):
            words[name] = Word((param.metavar or name).strip("[]").upper())
            continue
        word = max(param.opts, key=len)
        if name.startswith("no_"):
            words[name.removeprefix("no_")] = Word("", word)
        words[name] = Word(word, max(param.secondary_opts, key=len, default=""))
    known = {spelling: word for word in words.values() for spelling in word if spelling}
    for name, spelling in ALIASES.get(verb, {}).items():
        word = known.get(spelling, Word(spelling))
        words[name] = Word("", spelling) if spelling.startswith("--no-") else word
    return words


_LITERAL = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_VALUE = rf"""(?P<value>{_LITERAL}|\[(?:{_LITERAL}|[^\]'"])*\]|…|[-+]?\w[\w.+-]*\w|\w)?"""
_SAID = re.compile(
    rf"""(?<![\w'"])(?:{_LITERAL})(?!\w)"""  # what the user gave, or the peer: as it is
    rf"""|(?<![\w.?&/=-])(?P<dashes>--)?(?P<name>[a-z][a-z0-9_-]*)={_VALUE}(?P<rest>=?)"""
)


def translated(message: str, words: Mapping[str, Word]) -> str:
    """A message of the package as a verb says it.

    >>> words = {"speed": Word("--speed"), "overwrite": Word("--overwrite"), "topics": Word("--topics")}
    >>> translated("speed='fast': expected a number. Or say overwrite=True.", words)
    '--speed fast: expected a number. Or say --overwrite.'
    >>> translated("topics=['metrics', 'weather']: 'weather' is not there", words)
    "--topics metrics,weather: 'weather' is not there"
    """

    def say(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None or found["rest"]:
            return found[0]
        word = Word(f"--{name}") if found["dashes"] else words.get(name)
        return found[0] if word is None else _said(word, found["value"])

    return _SAID.sub(say, message)


def _said(word: Word, value: str | None) -> str:
    if value in (None, "…", "None", "True"):
        return word.yes or f"without {word.no}"
    if value == "False":
        return word.no or f"without {word.yes}"
    return f"{word.yes or word.no} {_shown(value or '')}"


def _shown(value: str) -> str:
    """A Python literal as it is typed in a shell."""
    if value[0] not in "'\"[":
        return value
    try:
        read = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    text = ",".join(map(str, read)) if isinstance(read, list) else str(read)
    return shlex.quote(text) if text.isprintable() else value
