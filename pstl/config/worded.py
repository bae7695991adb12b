"""Texts of a pattern: errors say the rule in words, editors are told the pattern."""

import re

from pydantic import AfterValidator


def worded(pattern: str, words: str) -> AfterValidator:
    """A check that a whole text is of a pattern.   words: after "expected" in the error.

    An editor's schema is told the pattern by Field(json_schema_extra={"pattern": pattern}).
    """

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(f"expected {words}")
        return text

    return AfterValidator(check)
