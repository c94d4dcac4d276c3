"""Flower photographs in, result documents out.

The way of a photo: `classifier` takes its bytes, `formats` and `decode` make upright pixels of them (as many at once as
`budget` allows), `model` makes logits, `prediction` makes calibrated candidates, `species` names them, `document`
writes it all down; `heatmap` says where in the photo the evidence lies.

Two adapters are around it. `http_function` answers calls: `http_images` reads them, `http_response` writes the answers,
`page` is what a browser gets; in the `background`, `archive` keeps photos and `publisher` publishes documents.
`upload_function` handles events: `storage_event` reads them, `results` decides who may write a result, `stored_image`
does what the backfill of a whole bucket (`../backfill.py`) does alike. Both reach Cloud Storage through `storage`, in
terms of `stored_object`, and Pub/Sub through `topic`.
Beside them stand `settings`, `log`, `errors`, and what the server is told: `allocator` has it give freed memory back,
`connections` has it keep connections open.
"""
