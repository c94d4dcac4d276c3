"""Flower photographs in, result documents out.

The way of a photo: `classifier` takes its bytes, `formats` tells what they are, `plugins` opens them, and `decode`
makes the upright pixels that the model's `input_rule` asks for (as many at once as `budget` allows); `model` makes
logits, `prediction` makes calibrated candidates, `species` names them, `document` writes it all down; `heatmap` says
where in the photo the evidence lies.

Two adapters are around it. `http_function` answers calls: `http_images` reads them, `http_response` writes the answers,
`page` is what a browser gets; in the `background`, `archive` keeps photos and `publisher` publishes documents.
`upload_function` handles events: `storage_event` reads them, `results` decides who may write a result. What it does
alike with the backfill of a whole bucket (`../backfill.py`) is `stored_image`. Both reach Cloud Storage through
`storage`, in terms of `stored_object`, and Pub/Sub through `topic`.
At the start, `loading` reads the model (`model_file`) and makes it ready while the rest is imported. `log` writes what
both tell, and `cold_start` adds what an instance's start took. The server is told by `allocator` to give freed memory
back, and by `connections` to keep connections open.
"""

import os

from . import cold_start as cold_start  # first, since it reads the clock

# NumPy's linear algebra, unused here, otherwise starts a thread for each processor when it is imported, and again after
# a fork: a fifth of the whole start on two cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
