# When someone is called. RUNBOOK.md says what to do then: each alert carries the section with its title.

locals {
  sections = split("\n## ", file("${path.module}/RUNBOOK.md"))
  runbook  = { for section in slice(local.sections, 1, length(local.sections)) : split("\n", section)[0] => trimspace(replace(section, "/^.*\n/", "")) }

  alerts = { for name, alert in merge({
    error_ratio = {
      title    = "requests fail"
      severity = "ERROR"
      duration = "300s"
      # Three failures at least: one of one at night is a ratio of 1.
      query = <<-EOT
        sum by (service_name) (rate(run_googleapis_com:request_count{${local.of_both},response_code_class="5xx"}[10m]))
          / sum by (service_name) (rate(run_googleapis_com:request_count{${local.of_both}}[10m]))
          > ${var.alert_thresholds.error_ratio}
        and sum by (service_name) (increase(run_googleapis_com:request_count{${local.of_both},response_code_class="5xx"}[10m])) >= 3
      EOT
    }

    latency = {
      title    = "answers are slow"
      severity = "WARNING"
      duration = "600s"
      # Thirty requests at least: the time counts in which a phone sends its photo, and one of those is no percentile.
      query = <<-EOT
        histogram_quantile(0.95, sum by (le) (rate(run_googleapis_com:request_latencies_bucket{${local.of_http}}[10m])))
          > ${var.alert_thresholds.latency_seconds * 1000}
        and sum(increase(run_googleapis_com:request_latencies_count{${local.of_http}}[10m])) >= 30
      EOT
    }

    no_results = {
      title    = "images arrive and no result is written"
      severity = "CRITICAL"
      duration = "0s"
      # By the age of what waits, not by the numbers of two counters, which lag differently. Results that a backfill writes
      # announce themselves too and are skipped at once: they do not grow old, and skipping is work done.
      query = <<-EOT
        max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{${local.of_subscription}}) > 900
        unless sum(increase(${local.upload_events},event!="retry"}[30m])) > 0
      EOT
    }

    retry_age = {
      title    = "retries grow old"
      severity = "ERROR"
      duration = "300s"
      query    = <<-EOT
        max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{${local.of_subscription}}) > ${var.alert_thresholds.retry_age_minutes * 60}
      EOT
    }

    memory = {
      title    = "memory is near its limit"
      severity = "WARNING"
      duration = "300s"
      query    = <<-EOT
        histogram_quantile(0.99, sum by (le, service_name) (rate(run_googleapis_com:container_memory_utilizations_bucket{${local.of_both}}[10m])))
          > ${var.alert_thresholds.memory_share}
      EOT
    }

    identified = {
      title    = "fewer photos are identified"
      severity = "WARNING"
      duration = "0s"
      interval = "3600s"
      # Whole weeks, since a weekend has other photos than a working day. With fewer than 200, the share moves by itself.
      # Months of data: https://docs.cloud.google.com/monitoring/alerts/using-promql
      query = <<-EOT
        ${local.share_identified.week}
          < ${local.share_identified.before} - ${var.alert_thresholds.identified_drop}
        and ${local.results.week} >= 200
        and ${local.results.before} >= 200
      EOT
    }
    }, !var.streaming ? {} : { dead_letters = {
      title    = "documents do not reach BigQuery"
      severity = "ERROR"
      duration = "0s"
      query    = "max(pubsub_googleapis_com:subscription_num_undelivered_messages{${local.of_dead_letters}}) > 0"
      } }, var.reconciliation == null ? {} : { reconciliation = {
      title    = "the reconciliation failed"
      severity = "WARNING"
      duration = "0s"
      query    = "sum(increase(run_googleapis_com:job_completed_execution_count{${local.of_reconciliation},result=\"failed\"}[1h])) > 0"
  } }) : name => merge({ interval = "60s" }, alert) }
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
      evaluation_interval = each.value.interval
      # On a new project nothing has been measured yet, and a policy over an unknown metric would be refused.
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "${var.name}: ${each.value.title}"
    content   = <<-EOT
      infra/RUNBOOK.md, "${each.value.title}". Its commands take:

      ```
      export PROJECT=${var.project_id} REGION=${var.region} NAME=${var.name}
      ```

      ${local.runbook[each.value.title]}
    EOT

    dynamic "links" {
      for_each = try(var.pipeline.github, null)[*]
      content {
        display_name = "Runbook"
        url          = "https://github.com/${links.value}/blob/main/infra/RUNBOOK.md#${replace(each.value.title, " ", "-")}"
      }
    }
  }

  depends_on = [google_logging_metric.upload_events, google_logging_metric.confidence]
}
