# What function/backfill may do on Google Cloud, whether the reconciliation or Dataflow runs it: what the upload function
# may (identities.tf), and for the same reasons.

locals {
  # By content: another tag is other code.
  backfill_images = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.functions.repository_id}"

  backfill_accounts = merge(
    { for key, account in google_service_account.reconciliation : "reconciliation" => account.member },
    { for key, account in google_service_account.dataflow : "dataflow" => account.member },
  )
}

resource "google_storage_bucket_iam_member" "backfill_reads_images" {
  for_each = local.backfill_accounts

  bucket = local.images_bucket
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_storage_bucket_iam_member" "backfill_reads_results" {
  for_each = var.separate_results ? local.backfill_accounts : {}

  bucket = local.results_bucket
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_storage_bucket_iam_member" "backfill_writes_results" {
  for_each = local.backfill_accounts

  bucket = local.results_bucket
  role   = google_project_iam_custom_role.result_writer.name
  member = each.value

  condition {
    title       = local.results_only.title
    description = local.results_only.description
    expression  = local.results_only.expression
  }
}

resource "google_storage_bucket_iam_member" "backfill_reads_model" {
  for_each = local.model_bucket == null ? {} : local.backfill_accounts

  bucket = local.model_bucket
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_pubsub_topic_iam_member" "backfill_publishes" {
  for_each = var.streaming ? local.backfill_accounts : {}

  topic  = google_pubsub_topic.results["results"].name
  role   = "roles/pubsub.publisher"
  member = each.value
}

# Into the streamed table: --bigquery PROJECT:NAME.streamed_documents. The scheduled job has no Java, which Beam's writer takes.
resource "google_bigquery_table_iam_member" "dataflow_writes_documents" {
  for_each = var.dataflow ? local.streaming : toset([])

  dataset_id = google_bigquery_dataset.results.dataset_id
  table_id   = google_bigquery_table.streamed_documents["results"].table_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.dataflow["backfill"].member
}
