"""Tokens, as people are shown them."""

from __future__ import annotations

from services.cli.domain.table import aligned, cell, duration
from shared.access import TokenFile


def listed(file: TokenFile, now_ns: int) -> str:
    """Return the tokens as a table; what lets anybody in is not in it."""
    rows = [("NAME", "ROLE", "AGE")]
    for token in file.tokens:
        age = duration((now_ns - token.created_at_ns) // 10**9) if token.created_at_ns else None
        rows.append((token.name, str(token.role), cell(age)))
    return "\n".join(aligned(rows))
