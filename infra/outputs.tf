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
  value       = var.edge == null ? google_cloudfunctions2_function.this["http"].service_config[0].uri : "https://${var.edge.domain}"
}

output "smoke_url" {
  description = "The endpoint for the smoke test; empty with iap, which takes no token of Cloud Run's"
  value       = try(var.edge.iap, false) ? "" : var.edge == null ? google_cloudfunctions2_function.this["http"].service_config[0].uri : "https://${var.edge.domain}"
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
  value       = try(google_pubsub_topic.this["results"].id, null)
}

output "dataflow_options" {
  description = "What the backfill is given to run on Dataflow: python -m backfill --input 'gs://BUCKET/**' $(terraform -chdir=infra output -raw dataflow_options)"
  value = !var.dataflow ? null : join(" ", [
    "--runner DataflowRunner --project ${var.project_id} --region ${var.region}",
    "--temp_location gs://${google_storage_bucket.dataflow["backfill"].name}/temp",
    "--staging_location gs://${google_storage_bucket.dataflow["backfill"].name}/staging",
    "--service_account_email ${local.email.dataflow}",
    "--subnetwork regions/${var.region}/subnetworks/${google_compute_subnetwork.dataflow["backfill"].name} --no_use_public_ips",
    "--sdk_container_image ${local.backfill_images}/backfill-dataflow:${var.backfill_tag} --sdk_location container",
  ])
}

output "functions" {
  description = "The functions, which are Run services of the same names"
  value       = { for key, function in google_cloudfunctions2_function.this : key => function.name }
}

output "service_accounts" {
  description = "The accounts, by role"
  value       = local.email
}

output "edge_address" {
  description = "The address that the domain's A record has to name"
  value       = one([for address in google_compute_global_address.edge : address.address])
}

output "github_provider" {
  description = "What .github/workflows/deploy.yml is given as the variable WORKLOAD_IDENTITY_PROVIDER"
  value       = one([for provider in google_iam_workload_identity_pool_provider.github : provider.name])
}
