"""Words for LaTeX: whatever anybody writes is text there, never a command."""

COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "−": r"\ensuremath{-}",
    "×": r"\ensuremath{\times}",
    "±": r"\ensuremath{\pm}",
    "–": "--",
    "—": "---",
    "\N{NO-BREAK SPACE}": "~",
}
LAST_LETTER = 0x17F  # of the Latin letters that the T1 fonts have
UNKNOWN = "?"


def escaped(text: str) -> str:
    r"""A text as LaTeX that prints it; letters that no standard font has are question marks.

    >>> escaped("100 % of k_1 & {x}")
    '100 \\% of k\\_1 \\& \\{x\\}'
    """
    return "".join(_letter(letter) for letter in text)


def _letter(letter: str) -> str:
    if letter in COMMANDS:
        return COMMANDS[letter]
    if letter.isspace():
        return " "
    return letter if letter.isprintable() and ord(letter) <= LAST_LETTER else UNKNOWN


def url(address: str) -> str:
    r"""An address in \url, which takes all but braces, backslashes and unpaired signs."""
    harmless = "".join(f"%{ord(sign):02X}" if sign in "\\{}%^#~" else sign for sign in address)
    return rf"\url{{{harmless}}}"
