"""Define the error that ends the export with a message instead of a traceback."""


class ExportError(Exception):
    """Something that the caller can mend; the message says what and how."""
