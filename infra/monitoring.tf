# What is counted. Queries are PromQL, which names the metrics of Cloud Monitoring
# after a rule of its own: https://cloud.google.com/monitoring/promql/promql-mapping

locals {
  http_service   = google_cloudfunctions2_function.this["http"].name
  upload_service = google_cloudfunctions2_function.this["upload"].name

  upload_events_metric = "${replace(var.name, "-", "_")}_upload_events"
  faults_metric        = "${replace(var.name, "-", "_")}_faults"

  # Label matchers of the series that are ours.
  of_both   = "monitored_resource=\"cloud_run_revision\",location=\"${var.region}\",service_name=~\"${local.http_service}|${local.upload_service}\""
  of_http   = "monitored_resource=\"cloud_run_revision\",location=\"${var.region}\",service_name=\"${local.http_service}\""
  of_upload = "monitored_resource=\"cloud_run_revision\",location=\"${var.region}\",service_name=\"${local.upload_service}\""
  # Eventarc names the subscription after the region and the function, with numbers that it makes up.
  of_subscription   = "monitored_resource=\"pubsub_subscription\",subscription_id=~\"eventarc-${local.location}-${local.upload_service}-[0-9]+-.*\""
  of_reconciliation = "monitored_resource=\"cloud_run_job\",location=\"${var.region}\",job_name=\"${var.name}-reconciliation\""
  of_dead_letters   = "monitored_resource=\"pubsub_subscription\",subscription_id=\"${local.dead_letters}\""

  upload_events = "logging_googleapis_com:user_${local.upload_events_metric}{${local.of_upload}"
}

resource "google_logging_metric" "upload_events" {
  name        = local.upload_events_metric
  description = "What became of upload events: classified, refused, skipped, …, retry"
  filter      = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.upload_service}\" AND jsonPayload.event:*"

  label_extractors = { event = "EXTRACT(jsonPayload.event)" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key         = "event"
      value_type  = "STRING"
      description = "What became of the event"
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_logging_metric" "faults" {
  name        = local.faults_metric
  description = "Log entries of both functions that are errors or worse, a container out of memory among them"
  filter      = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"${local.http_service}\" OR \"${local.upload_service}\") AND severity>=ERROR"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [time_sleep.services]
}
