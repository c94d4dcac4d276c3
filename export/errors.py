"""Define the error that ends the export with a message instead of a traceback."""


class ExportError(Exception):
    """Report what the caller can fix. The message says what is wrong and what to do."""
