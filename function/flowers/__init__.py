"""Flower photographs in, result documents out.

The way of a photo: `classifier` takes its bytes, `imaging` makes pixels of them, `model` makes predictions of the
pixels, and `documents` has the forms of what is answered and stored.

`http` answers requests and `upload` handles storage events. `results` decides, writes, archives and publishes
documents, for both and for the backfill of a whole bucket (`../backfill`). `cloud` talks to Cloud Storage and Pub/Sub.
"""

import os

__version__ = "2.0.0"  # of the code; CHANGELOG.md has what changed. The model has its own version.

from . import cold_start as cold_start  # first, since it reads the clock

# NumPy's linear algebra, unused here, otherwise starts a thread for each processor when it is imported, and again after
# a fork: a fifth of the whole start on two cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
