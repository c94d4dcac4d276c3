"""Flower photographs in, result documents out.

The way of a photo: `classifier` takes its bytes, `formats` and `decode` make upright pixels of them (within `pixel_budget`), `model`
makes logits, `prediction` makes calibrated candidates, `species` names them, `document` writes it all down.
`http_function` is the adapter around it.
"""
