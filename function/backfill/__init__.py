"""Classify a whole bucket, or a folder, of photographs on Apache Beam: `python -m backfill --help`.

    list folders ──> pair images with results ──> reshuffle ──> classify, write ──> what failed, once more ──> counts
    (listing)        (listing, flowers/results)                 (worker)                                       (summary)

`command_line` makes a `job` of the arguments, `pipeline` is all that knows Beam's transforms; `local_files` makes a
folder look like a bucket. Around the pipeline: `progress` shows how far it is, `summary` and `report` what came out,
`estimate` how long it would take, `bigquery` makes rows.
Dataflow's workers and the nightly job run the containers that `make backfill-image` builds.

None of this is deployed with the functions.
"""
