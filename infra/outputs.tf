output "access" {
  description = "Who may call the HTTPS endpoint"
  value = (
    var.allow_unauthenticated
    ? "PUBLIC: anyone on the internet may call the HTTPS endpoint, at this project's expense (allow_unauthenticated = true)"
    : "private: ${length(var.invokers) == 0 ? "only the project's own administrators" : join(", ", var.invokers)} may call the HTTPS endpoint"
  )
}

output "http_url" {
  description = "The HTTPS endpoint; a private one wants: curl -H \"Authorization: Bearer $(gcloud auth print-identity-token)\" --data-binary @flower.jpg URL"
  value       = google_cloudfunctions2_function.http.service_config[0].uri
}

output "images_bucket" {
  description = "Where images are uploaded: gcloud storage cp flower.jpg gs://BUCKET"
  value       = local.images_bucket
}

output "results_bucket" {
  description = "Where results are written, each named after its image with result_suffix"
  value       = local.results_bucket
}

output "result_suffix" {
  description = "What ends a result's name"
  value       = var.result_suffix
}

output "archive_bucket" {
  description = "Where photos sent over HTTPS are kept, if they are"
  value       = local.archive_bucket
}

output "classifications" {
  description = "The views with one row an image: bq query 'SELECT * FROM `VIEW`'"
  value = merge(
    { for key, view in google_bigquery_table.classifications : key => "${var.project_id}.${view.dataset_id}.${view.table_id}" },
    { for key, view in google_bigquery_table.streamed_classifications : "streamed" => "${var.project_id}.${view.dataset_id}.${view.table_id}" },
  )
}

output "result_topic" {
  description = "Where documents are published, if they are"
  value       = one([for topic in google_pubsub_topic.results : topic.id])
}

output "dataflow_options" {
  description = "What function/backfill is given to run on Dataflow: python -m backfill --input 'gs://BUCKET/**' $(terraform -chdir=infra output -raw dataflow_options)"
  value = one([for account in google_service_account.dataflow : join(" ", [
    "--runner DataflowRunner --project ${var.project_id} --region ${var.region}",
    "--temp_location gs://${google_storage_bucket.dataflow["backfill"].name}/temp",
    "--staging_location gs://${google_storage_bucket.dataflow["backfill"].name}/staging",
    "--service_account_email ${account.email}",
    "--subnetwork regions/${var.region}/subnetworks/${google_compute_subnetwork.dataflow["backfill"].name} --no_use_public_ips",
    "--sdk_container_image ${local.backfill_images}/backfill-dataflow:${var.backfill_tag} --sdk_location container",
  ])])
}

output "functions" {
  description = "The functions, which are Run services of the same names"
  value       = { http = google_cloudfunctions2_function.http.name, upload = google_cloudfunctions2_function.upload.name }
}

output "service_accounts" {
  description = "The accounts, by role"
  value = {
    build          = google_service_account.build.email
    dataflow       = one([for account in google_service_account.dataflow : account.email])
    http           = google_service_account.http.email
    pipeline       = one(google_service_account.pipeline[*].email)
    reconciliation = one([for account in google_service_account.reconciliation : account.email])
    scheduler      = one([for account in google_service_account.scheduler : account.email])
    trigger        = google_service_account.trigger.email
    upload         = google_service_account.upload.email
  }
}
