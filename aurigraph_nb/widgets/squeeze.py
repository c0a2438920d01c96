"""Scripts and style sheets without the blanks that only people need: they travel with every widget.

No names are shortened and no line is joined to another, so that an error in the browser's console still reads well. A
text, a template or a regular expression has to end on the line where it begins; a test holds the sources to that.
"""

from __future__ import annotations

import re

_TIGHT = re.compile(r"\s*([{}()\[\];,:?=<>!&|*%^~])\s*")
_SIGN = re.compile(r"(?<![+\-\s])\s+([+\-/])\s+(?![+\-/])")
_BEFORE_REGEX = re.compile(r"(?:^|[(,=:\[!&|?{};<>+\-*%~^]|\breturn|\btypeof|\bcase)\s*$")
_CSS = re.compile(r"\s*([{};,])\s*")
_CSS_COLON = re.compile(r"(?<=[\w-]):\s+")


def squeeze_script(source: str) -> str:
    """``source``, line by line, without comments at line ends and blanks around signs; texts stay as they are.

    >>> squeeze_script('const a = (b + c) * 2; // twice\\nf("x  =  1", /a b/g);')
    'const a=(b+c)*2;\\nf("x  =  1",/a b/g);\\n'
    """
    lines = (_squeezed(line) for line in source.splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def squeeze_style(source: str) -> str:
    """``source`` without blanks around its signs; one rule or declaration may share a line with the next.

    >>> squeeze_style('.a > .b {\\n  color: red;\\n  content: "a ; b";\\n}\\n')
    '.a > .b{color:red;content:"a ; b"}\\n'
    """
    parts = re.split(r'("[^"\n]*")', " ".join(source.split("\n")))
    for i in range(0, len(parts), 2):
        parts[i] = _CSS_COLON.sub(":", _CSS.sub(r"\1", re.sub(r"\s+", " ", parts[i])))
    return "".join(parts).replace(";}", "}").strip() + "\n"


def _squeezed(line: str) -> str:
    made, code, i = "", "", 0
    while i < len(line):
        end = _literal_end(line, i, made + code)
        if end is None and line.startswith("//", i):
            break
        if end is None:
            code += line[i]
            i += 1
            continue
        made += _tight(code) + line[i:end]
        code, i = "", end
    return (made + _tight(code)).strip()


def _tight(code: str) -> str:
    return _SIGN.sub(r"\1", _TIGHT.sub(r"\1", re.sub(r"\s+", " ", code)))


def _literal_end(line: str, start: int, before: str) -> int | None:
    """Where the text, template or regular expression that begins at ``start`` ends; None if none begins there."""
    sign = line[start]
    if sign in "\"'":
        return _quoted_end(line, start, sign)
    if sign == "`":
        return _template_end(line, start)
    if sign == "/" and line[start + 1 : start + 2] not in ("/", "*", "") and _BEFORE_REGEX.search(before):
        return _regex_end(line, start)
    return None


def _quoted_end(line: str, start: int, quote: str) -> int:
    i = start + 1
    while i < len(line) and line[i] != quote:
        i += 2 if line[i] == "\\" else 1
    return i + 1


def _regex_end(line: str, start: int) -> int:
    i, in_class = start + 1, False
    while i < len(line) and (in_class or line[i] != "/"):
        in_class = (in_class or line[i] == "[") and line[i] != "]"
        i += 2 if line[i] == "\\" else 1
    return i + 1


def _template_end(line: str, start: int) -> int:
    """Templates may hold code, and that may hold templates."""
    i = start + 1
    while i < len(line) and line[i] != "`":
        if line.startswith("${", i):
            i = _code_end(line, i + 2)
        else:
            i += 2 if line[i] == "\\" else 1
    return i + 1


def _code_end(line: str, i: int) -> int:
    depth = 1
    while i < len(line) and depth:
        if line[i] in "\"'":
            i = _quoted_end(line, i, line[i])
        elif line[i] == "`":
            i = _template_end(line, i)
        else:
            depth += {"{": 1, "}": -1}.get(line[i], 0)
            i += 1
    return i
