"""Turn archived photos, and what people said of them, into a training folder.

    archive ── collect ──> review/ ── a person ──> decisions ── training_folder ──> train/  valid/  classes.json

`archive` reads the bucket or its copy, `collect` copies what is worth a look, `page` and `label_studio` show it,
`decisions` reads what was decided, `training_folder` writes what `--data` takes. TensorFlow is not needed.
"""
