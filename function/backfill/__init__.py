"""Classify a whole bucket, or a folder, of photographs on Apache Beam: `python -m backfill --help`.

    list folders ──> pair images with results ──> reshuffle ──> classify, write ──> what failed, once more ──> counts
    (listing)        (listing, flowers/results)                 (worker)                                       (summary)

`command_line` reads the arguments into a `job`, and `run` runs the `pipeline`. `local_files` gives a folder the
interface of a bucket. `progress` shows how far a run is, `summary`, `report` and `quality` its outcome, and `estimate`
its expected time. `bigquery`, `table` and `sidecars` write the results in other forms.
Dataflow's workers and the nightly job run the containers that `make backfill-image` builds.

None of this is deployed with the functions.
"""
