# What is counted. Queries are PromQL, which names the metrics of Cloud Monitoring
# after a rule of its own: https://cloud.google.com/monitoring/promql/promql-mapping

locals {
  http_service   = google_cloudfunctions2_function.this["http"].name
  upload_service = google_cloudfunctions2_function.this["upload"].name

  upload_events_metric = "${replace(var.name, "-", "_")}_upload_events"
  faults_metric        = "${replace(var.name, "-", "_")}_faults"
  entries_of_both      = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"${local.http_service}\" OR \"${local.upload_service}\")"
  confidence_metric    = "${replace(var.name, "-", "_")}_confidence"
  kinds_metric         = "${replace(var.name, "-", "_")}_kinds"

  # Label matchers of the series that are ours.
  of_both   = "monitored_resource=\"cloud_run_revision\",location=\"${var.region}\",service_name=~\"${local.http_service}|${local.upload_service}\""
  of_http   = "monitored_resource=\"cloud_run_revision\",location=\"${var.region}\",service_name=\"${local.http_service}\""
  of_upload = "monitored_resource=\"cloud_run_revision\",location=\"${var.region}\",service_name=\"${local.upload_service}\""
  # Eventarc names the subscription after the region and the function, with numbers that it makes up.
  of_subscription   = "monitored_resource=\"pubsub_subscription\",subscription_id=~\"eventarc-${local.location}-${local.upload_service}-[0-9]+-.*\""
  of_reconciliation = "monitored_resource=\"cloud_run_job\",location=\"${var.region}\",job_name=\"${var.name}-reconciliation\""
  of_dead_letters   = "monitored_resource=\"pubsub_subscription\",subscription_id=\"${local.dead_letters}\""

  upload_events = "logging_googleapis_com:user_${local.upload_events_metric}{${local.of_upload}"
  kinds         = "logging_googleapis_com:user_${local.kinds_metric}{${local.of_both}"

  # How many results there are in a period, and the share of them that is identified, which is 0 if none is.
  results = { for period, range in { day = "[1d]", week = "[1w]", before = "[4w] offset 1w" } :
  period => "sum by (service_name) (increase(logging_googleapis_com:user_${local.confidence_metric}_count{${local.of_both}}${range}))" }
  share_identified = { for period, results in local.results :
  period => "(${replace(results, "}", ",identified=\"true\"}")} or 0 * ${results}) / ${results}" }
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
  filter      = "${local.entries_of_both} AND severity>=ERROR"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [time_sleep.services]
}

# Without the kind: a distribution takes ten times the bytes of a counter, and there are many kinds.
resource "google_logging_metric" "confidence" {
  name        = local.confidence_metric
  description = "Confidence of each new result, and whether it was identified"
  filter      = "${local.entries_of_both} AND jsonPayload.confidence>=0"

  value_extractor  = "EXTRACT(jsonPayload.confidence)"
  label_extractors = { identified = "EXTRACT(jsonPayload.identified)" }

  bucket_options {
    linear_buckets {
      num_finite_buckets = 20
      offset             = 0
      width              = 0.05
    }
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "1"

    labels {
      key         = "identified"
      value_type  = "STRING"
      description = "true, or false below the model's threshold"
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_logging_metric" "kinds" {
  name        = local.kinds_metric
  description = "Results by identified kind (event=classified), and corrections by the kind that a person named (event=corrected)"
  filter      = "${local.entries_of_both} AND (jsonPayload.identified=true OR jsonPayload.event=\"corrected\")"

  label_extractors = { event = "EXTRACT(jsonPayload.event)", label = "EXTRACT(jsonPayload.label)" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = ["event", "label"]
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  depends_on = [time_sleep.services]
}
