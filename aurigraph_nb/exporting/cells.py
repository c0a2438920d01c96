"""Texts that no spreadsheet takes for a formula, and the way back.

Spreadsheets run what begins with ``=``, ``+``, ``-`` or ``@``, also behind a tab or a line break. A text that begins
with one of these, or with an apostrophe, gets an apostrophe in front. So the way back is exact: whoever reads such a
file takes one apostrophe off each text that begins with one. Numbers and times are no texts and stay as they are.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as _compute

pc: Any = _compute

MARK = "'"
_RISKY = r"^['=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
"""What a formula may begin with (the wide characters are East Asian forms of the same), and the mark itself."""


def safe(texts: Any) -> Any:
    """An Arrow column of texts in which no cell is a formula.

    >>> safe(pa.chunked_array([["=1+1", "'tis", "plain", None]])).to_pylist()
    ["'=1+1", "''tis", 'plain', None]
    """
    texts = texts.cast(pa.string())
    marked = pc.binary_join_element_wise(MARK, texts, "")
    return pc.if_else(pc.match_substring_regex(texts, _RISKY), marked, texts)


def unsafe(text: str) -> str:
    """The text of a cell that :func:`safe` made.

    >>> unsafe("'=1+1"), unsafe("''tis"), unsafe("plain")
    ('=1+1', "'tis", 'plain')
    """
    return text.removeprefix(MARK)
