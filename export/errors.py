"""Define the error that ends the export with a message instead of a traceback."""

import re


class ExportError(Exception):
    """Report what the caller can fix. The message says what is wrong and what to do."""


def reason_of(error: Exception) -> str:
    """Return what a library's error says, on one line, without call stack, colours and arguments."""
    text = re.sub(r"\x1b\[\d+m", "", getattr(error, "message", None) or str(error))
    text = re.split(r"\n\s*(?:Call arguments|Arguments) received", text)[0]
    text = re.sub(r'^\s*(?:in user code:|File ".*\n.*)$', "", text, flags=re.MULTILINE)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
