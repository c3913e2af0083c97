"""A line of what is reported: text, and what it is of a finding."""

from __future__ import annotations

#: The header, and what was found.
KIND = "kind"
#: The frame that is to blame.
CULPRIT = "culprit"
#: A line of a source file.
SOURCE = "source"


class Line(str):
    """Plain text to whoever reads it; only the terminal asks what it is, and colours it.

    :param part: one of the above, empty for all else.
    """

    part: str

    def __new__(cls, text: str, part: str = "") -> Line:
        """Make a line of a text."""
        made = super().__new__(cls, text)
        made.part = part
        return made
