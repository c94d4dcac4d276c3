"""Classify flower photographs.

`classifier` takes the bytes of a photo, `imaging` makes pixels of them, `model` makes predictions of the
pixels, and `documents` has the forms of what is answered and stored.

`http` answers requests and `upload` handles storage events. `results` decides, writes, archives and publishes
documents, for both and for the backfill of a whole bucket (`../backfill`). `cloud` talks to Cloud Storage and Pub/Sub.
`process` has all that concerns the whole process.
"""

__version__ = "2.0.0"  # of the code; CHANGELOG.md has what changed. The model has its own version.

from . import process as process  # first, since it sets environment variables that libraries read
