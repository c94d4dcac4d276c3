"""Flower photographs in, result documents out.

The way of a photo: `classifier` takes its bytes, `formats` and `decode` make upright pixels of them (as many at once as
`pixel_budget` allows), `model` makes logits, `prediction` makes calibrated candidates, `species` names them, `document`
writes it all down; `heatmap` says where in the photo the evidence lies. `http_function` is the adapter around it,
`http_images` reads its requests, `http_response` writes its responses, `page` is what a browser gets.
"""
