# When someone is called, and what they are told to do.

locals {
  minutes = var.alert_thresholds.retry_age_minutes

  read_errors = <<-EOT
    gcloud logging read 'resource.type="cloud_run_revision" AND resource.labels.service_name=~"^(${local.http_service}|${local.upload_service})$" AND severity>=ERROR' \
      --project=${var.project_id} --freshness=1h --limit=20
  EOT

  roll_back = <<-EOT
    gcloud run revisions list --service=SERVICE --region=${var.region} --project=${var.project_id}
    gcloud run services update-traffic SERVICE --to-revisions=OLDER_REVISION=100 --region=${var.region} --project=${var.project_id}
  EOT

  alerts = merge({
    error_ratio = {
      title    = "requests fail"
      severity = "ERROR"
      duration = "300s"
      # Three failures at least: one of one at night is a ratio of 1.
      query         = <<-EOT
        sum by (service_name) (rate(run_googleapis_com:request_count{${local.of_both},response_code_class="5xx"}[10m]))
          / sum by (service_name) (rate(run_googleapis_com:request_count{${local.of_both}}[10m]))
          > ${var.alert_thresholds.error_ratio}
        and sum by (service_name) (increase(run_googleapis_com:request_count{${local.of_both},response_code_class="5xx"}[10m])) >= 3
      EOT
      documentation = <<-EOT
        More than ${var.alert_thresholds.error_ratio * 100} % of requests were answered with 5xx for five minutes. Callers of `${local.http_service}` see errors;
        uploads to `${local.upload_service}` are retried for 24 hours and lose nothing until then.

        1. Read what fails:

        ```
        ${indent(4, local.read_errors)}
        ```

        2. Did it begin with a deployment? Send the traffic back to the revision before it (until the next apply), then mend the code:

        ```
        ${indent(4, local.roll_back)}
        ```

        3. "Memory limit exceeded": raise `memory` in `http` or `upload`, or lower `pixel_budget`, and apply.
        4. 503 `UNAVAILABLE` or 429 alone: too few instances for the traffic, or Cloud Storage is out of reach
           (https://status.cloud.google.com). Raise `max_instances` in the former case, wait in the latter.
        5. 403 from Cloud Storage: a grant is missing. `terraform plan` shows which, `terraform apply` brings it back.
      EOT
    }

    latency = {
      title         = "answers are slow"
      severity      = "WARNING"
      duration      = "600s"
      query         = <<-EOT
        histogram_quantile(0.95, sum by (le) (rate(run_googleapis_com:request_latencies_bucket{${local.of_http}}[10m])))
          > ${var.alert_thresholds.latency_seconds * 1000}
      EOT
      documentation = <<-EOT
        One request to `${local.http_service}` in twenty took longer than ${var.alert_thresholds.latency_seconds} seconds for ten minutes.

        1. Every answer's `Server-Timing` says how long decoding and inference took. If those are short, the time went into
           starting instances or waiting for one.
        2. Starts (the dashboard's instances go up and down): set `min_instances = 1` in `http`; it is billed while idle.
        3. Waiting (instances at `max_instances`): raise it, or lower `concurrency` in `http` so that more instances start.
        4. Long inference: too many requests share a cpu. Lower `concurrency`, or raise `cpu` in `http`.
        5. Long decoding: very large pictures. Lower `max_image_pixels`.
      EOT
    }

    no_results = {
      title    = "images arrive and no result is written"
      severity = "CRITICAL"
      duration = "900s"
      # Announced objects that nothing explains, while not one was classified or refused. Results announce themselves too, and
      # are explained as skipped. `unless` and `or` stand in for series that are not there at all.
      query         = <<-EOT
        (
          sum(increase(pubsub_googleapis_com:topic_message_sizes_count{${local.of_topic}}[1h]))
          - (sum(increase(${local.upload_events},event!~"classified|refused|retry"}[1h])) or vector(0))
        ) >= 1
        unless sum(increase(${local.upload_events},event=~"classified|refused"}[1h])) > 0
      EOT
      documentation = <<-EOT
        Objects arrived in `gs://${local.images_bucket}` in the last hour, and neither a result nor an error document was written.
        Events are retried for 24 hours after the upload; what is mended by then loses nothing.

        1. Is the function called at all? It logs one entry with a field `event` for each:

        ```
        gcloud logging read 'resource.labels.service_name="${local.upload_service}"' --project=${var.project_id} --freshness=1h --limit=20
        ```

        2. It is not, or with 401 or 403: a grant is missing. `terraform plan` should show it, `terraform apply` brings it back:
           `roles/run.invoker` for `${google_service_account.trigger.email}` on the Run service, `roles/eventarc.eventReceiver` for
           the same, `roles/pubsub.publisher` for `${trimprefix(local.storage_agent, "serviceAccount:")}`.
        3. It is, and does not start: the message names the setting or the module. Correct it, or roll back:

        ```
        ${indent(4, local.roll_back)}
        ```

        4. It is, and logs `retry`: its message says which surroundings fail; 403 on a result means the grant on
           `gs://${local.results_bucket}` or its condition.
        5. After more than 24 hours events are gone. Classify what was missed with the backfill program (README, "Operate").
      EOT
    }

    retry_age = {
      title         = "retries grow old"
      severity      = "ERROR"
      duration      = "300s"
      query         = <<-EOT
        max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{${local.of_subscription}}) > ${local.minutes * 60}
      EOT
      documentation = <<-EOT
        An upload has waited for more than ${local.minutes} minutes to be classified. It is retried, ever less often, and dropped 24 hours
        after it was made. That is how long there is to mend this.

        1. Read why: entries with `event` = `retry` name the object and the cause.

        ```
        gcloud logging read 'resource.labels.service_name="${local.upload_service}" AND jsonPayload.event="retry"' \
          --project=${var.project_id} --freshness=1d --limit=20
        ```

        2. Always the same object: the function fails on it, mostly for lack of memory or time. Raise `memory` or
           `timeout_seconds` in `upload`, or delete the object: its event is then acknowledged.
        3. Many objects: the surroundings fail, see the message; or there are too few instances (429 in the request log): raise
           `max_instances` in `upload`.
      EOT
    }

    memory = {
      title         = "memory is near its limit"
      severity      = "WARNING"
      duration      = "300s"
      query         = <<-EOT
        histogram_quantile(0.99, sum by (le, service_name) (rate(run_googleapis_com:container_memory_utilizations_bucket{${local.of_both}}[10m])))
          > ${var.alert_thresholds.memory_share}
      EOT
      documentation = <<-EOT
        Instances use more than ${var.alert_thresholds.memory_share * 100} % of their memory. One that reaches its limit is killed, with all requests in it.

        1. Lower `pixel_budget`: decoded pixels take most of it, 5 to 20 bytes each; then requests wait a little instead.
        2. Or lower `concurrency` in `http` or `upload`: each request holds its file, up to `max_image_bytes`.
        3. Or raise `memory` there. Apply, and watch the dashboard.
        4. It grows day by day under even traffic: a leak. Roll back, and report it with the dashboard's graph:

        ```
        ${indent(4, local.roll_back)}
        ```
      EOT
    }
  }, var.streaming ? { dead_letters = local.dead_letters_alert } : {}, var.reconciliation == null ? {} : { reconciliation = local.reconciliation_alert })

  dead_letters_alert = {
    title         = "documents do not reach BigQuery"
    severity      = "ERROR"
    duration      = "0s"
    query         = <<-EOT
      max(pubsub_googleapis_com:subscription_num_undelivered_messages{${local.of_dead_letters}}) > 0
    EOT
    documentation = <<-EOT
      BigQuery refused documents for hours; they wait in `${local.dead_letters}` for 31 days. The documents of uploads are in their bucket as
      well, those of photos sent over HTTPS nowhere else.

      1. Is the subscription in order? `ACTIVE` is; `PERMISSION_DENIED` and `NOT_FOUND` are mended by `terraform apply`.

      ```
      gcloud pubsub subscriptions describe ${local.results_subscription} --project=${var.project_id} --format='value(bigqueryConfig.state)'
      ```

      2. If it is, look at what was refused; this takes nothing away. A field of another type than the column's: apply, so that
         table and function are of one version.

      ```
      gcloud pubsub subscriptions pull ${local.dead_letters} --project=${var.project_id} --limit=5 --format='value(message.data.decode(base64))'
      ```

      3. Then bring them in. The first command takes them out of the subscription, into a file that is the only copy until the second is done;
         repeat both until nothing comes.

      ```
      gcloud pubsub subscriptions pull ${local.dead_letters} --project=${var.project_id} --limit=1000 --auto-ack \
        --format='value(message.data.decode(base64))' > dead-letters.json
      bq load --source_format=NEWLINE_DELIMITED_JSON --ignore_unknown_values '${var.project_id}:${google_bigquery_dataset.results.dataset_id}.${local.streamed_documents}' dead-letters.json
      ```
    EOT
  }

  reconciliation_alert = {
    title         = "the reconciliation failed"
    severity      = "WARNING"
    duration      = "0s"
    query         = <<-EOT
      sum(increase(run_googleapis_com:job_completed_execution_count{${local.of_reconciliation},result="failed"}[1h])) > 0
    EOT
    documentation = <<-EOT
      The job `${var.name}-reconciliation` ended without having classified all images that have no result. It goes on where it stopped when it is
      run again, and what it did stays done.

      1. Read why: its last lines are a summary, or say which setting is at fault.

      ```
      gcloud logging read 'resource.type="cloud_run_job" AND resource.labels.job_name="${var.name}-reconciliation"' \
        --project=${var.project_id} --freshness=2d --limit=40
      ```

      2. "Memory limit exceeded": raise `memory` in `reconciliation`. The time ran out: raise `timeout_hours` or `cpu`, or use Dataflow.
      3. Run it again, and wait for its end:

      ```
      gcloud run jobs execute ${var.name}-reconciliation --project=${var.project_id} --region=${var.region} --wait
      ```
    EOT
  }
}
