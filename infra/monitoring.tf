# What is counted and shown, and what wakes someone up. Queries are PromQL, which names the metrics of Cloud Monitoring
# after a rule of its own: https://cloud.google.com/monitoring/promql/promql-mapping

locals {
  http_service   = google_cloudfunctions2_function.http.name
  upload_service = google_cloudfunctions2_function.upload.name

  upload_events_metric = "${replace(var.name, "-", "_")}_upload_events"
  faults_metric        = "${replace(var.name, "-", "_")}_faults"

  # Label matchers of the series that are ours.
  of_both   = "monitored_resource=\"cloud_run_revision\",location=\"${var.region}\",service_name=~\"${local.http_service}|${local.upload_service}\""
  of_http   = "monitored_resource=\"cloud_run_revision\",location=\"${var.region}\",service_name=\"${local.http_service}\""
  of_upload = "monitored_resource=\"cloud_run_revision\",location=\"${var.region}\",service_name=\"${local.upload_service}\""
  # Eventarc names topic and subscription after the region and the function, with numbers that it makes up.
  of_topic          = "monitored_resource=\"pubsub_topic\",topic_id=~\"eventarc-${local.location}-${local.upload_service}-[0-9]+-.*\""
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

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  display_name = "${var.name}: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }

  depends_on = [time_sleep.services]
}

resource "google_monitoring_alert_policy" "this" {
  for_each = length(var.alert_emails) == 0 ? {} : local.alerts

  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.name]

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      query               = chomp(each.value.query)
      duration            = each.value.duration
      evaluation_interval = "60s"
      # On a new project nothing has been measured yet, and a policy over an unknown metric would be refused.
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "${var.name}: ${each.value.title}"
    content   = chomp(each.value.documentation)
  }

  depends_on = [google_logging_metric.upload_events]
}
