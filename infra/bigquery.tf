# Results as tables, without code and without a copy: external tables over the documents, and views with one row an image.
# A query reads the documents as they are at that moment; who queries has to be allowed to read the bucket as well.

resource "google_bigquery_dataset" "results" {
  dataset_id  = replace(var.name, "-", "_")
  location    = local.location # BigQuery reads a bucket only from where it lies
  description = "What the ${var.name} functions found in images"

  depends_on = [time_sleep.services]
}

locals {
  # One table a bucket: a table over two would not answer while one of them is still empty.
  documents = merge(
    { uploads = local.results_bucket },
    var.archive_photos ? { archive = local.archive_bucket } : {},
  )

  document_tables = merge(
    { for key, bucket in local.documents : key => { uri = "gs://${bucket}/*${var.result_suffix}", schema = "result_schema.json", holds = "Result and error documents" } },
    var.archive_photos ? { corrections = { uri = "gs://${local.archive_bucket}/*.correction${var.result_suffix}", schema = "correction_schema.json", holds = "Corrections" } } : {},
  )

  # What an operator looks at to see whether the results are still right.
  quality_views = merge(
    { for key, view in merge(google_bigquery_table.classifications, { for view in google_bigquery_table.streamed_classifications : "streamed" => view }) : "${key}_quality" => {
      description = "Photos of each week by kind and confidence, from ${view.table_id}"
      query       = templatefile("${path.module}/quality.sql", { classifications = "${local.dataset}.${view.table_id}" })
    } },
    var.archive_photos ? { corrections = {
      description = "One row a correction, with what the model had answered"
      query = templatefile("${path.module}/corrections.sql", {
        documents       = "${local.dataset}.${google_bigquery_table.documents["corrections"].table_id}"
        classifications = "${local.dataset}.${google_bigquery_table.classifications["archive"].table_id}"
      })
    } } : {},
  )
  dataset = "${var.project_id}.${google_bigquery_dataset.results.dataset_id}"
}

resource "google_bigquery_table" "documents" {
  for_each = local.document_tables

  dataset_id  = google_bigquery_dataset.results.dataset_id
  table_id    = "${each.key}_documents"
  description = "${each.value.holds} in ${each.value.uri}, one row each. Queries fail until there is a first one."
  # The table holds no data: deleting or replacing it, as a new column does, loses nothing.
  deletion_protection = false

  external_data_configuration {
    source_format = "NEWLINE_DELIMITED_JSON"
    source_uris   = [each.value.uri]
    autodetect    = false
    # Compact, so that a change of layout in the file replaces no table.
    schema                = jsonencode(jsondecode(file("${path.module}/${each.value.schema}")))
    ignore_unknown_values = true # a newer function may say more than the table knows
    max_bad_records       = 1000 # uploads that happen to end in the suffix and are no documents of ours
  }
}

resource "google_bigquery_table" "classifications" {
  for_each = local.documents

  dataset_id          = google_bigquery_dataset.results.dataset_id
  table_id            = "${each.key}_classifications"
  description         = "One row an image in gs://${each.value}, with its first prediction or the error"
  deletion_protection = false

  view {
    use_legacy_sql = false
    query = templatefile("${path.module}/classifications.sql", {
      documents    = "${local.dataset}.${google_bigquery_table.documents[each.key].table_id}"
      image_uri    = "COALESCE(image.uri, _FILE_NAME)"
      image        = "COALESCE(image.uri, _FILE_NAME)"
      document_uri = "_FILE_NAME"
    })
  }
}

resource "google_bigquery_table" "quality" {
  for_each = local.quality_views

  dataset_id          = google_bigquery_dataset.results.dataset_id
  table_id            = each.key
  description         = each.value.description
  deletion_protection = false

  view {
    use_legacy_sql = false
    query          = each.value.query
  }
}
