# What events lost is found and done, where that is asked for: Cloud Scheduler starts a Cloud Run job, which runs
# function/backfill over the images bucket and classifies what has no result by the model of the day. It keeps the upload
# function's protocol (function/flowers/results/writer.py), so that both may run at once, and again.
# Its container is made by `make backfill-image` (backfill-image.yaml), before it is asked for.

locals {
  reconciliation = { for key, settings in { job = var.reconciliation } : key => settings if settings != null }

  # As the upload function, but for what the platform reads there.
  reconciliation_environment = {
    for name, value in local.upload_environment : name => value if !contains(["LOG_EXECUTION_ID", "THREADS"], name)
  }
}

resource "google_cloud_run_v2_job" "reconciliation" {
  for_each = local.reconciliation

  name                = "${var.name}-reconciliation"
  location            = var.region
  deletion_protection = false # it holds nothing

  template {
    task_count  = 1
    parallelism = 1

    template {
      service_account = google_service_account.reconciliation["job"].email
      timeout         = "${each.value.timeout_hours * 3600}s"
      max_retries     = 1 # what was done is found done; what is left is tried once more, then by the next execution

      containers {
        image = "${local.backfill_images}/backfill:${var.backfill_tag}"
        # A container of buildpacks finds Python through its launcher; after "--", no shell reads the pattern.
        command = ["/cnb/lifecycle/launcher"]
        args    = ["--", "python", "-m", "backfill", "--input", "gs://${local.images_bucket}/**", "--direct_num_workers", tostring(each.value.cpu)]

        resources {
          limits = { cpu = tostring(each.value.cpu), memory = each.value.memory }
        }

        dynamic "env" {
          for_each = local.reconciliation_environment
          content {
            name  = env.key
            value = env.value
          }
        }
      }
    }
  }

  depends_on = [
    google_storage_bucket_iam_member.backfill_reads_images,
    google_storage_bucket_iam_member.backfill_writes_results,
    time_sleep.services,
  ]
}

resource "google_cloud_scheduler_job" "reconciliation" {
  for_each = local.reconciliation

  name        = "${var.name}-reconciliation"
  region      = var.region
  description = "Classifies images of ${local.images_bucket} that have no result"
  schedule    = each.value.schedule
  time_zone   = each.value.time_zone

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project_id}/locations/${var.region}/jobs/${google_cloud_run_v2_job.reconciliation["job"].name}:run"

    oauth_token {
      service_account_email = google_service_account.scheduler["job"].email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  retry_config {
    retry_count = 3
  }

  depends_on = [google_cloud_run_v2_job_iam_member.scheduler_runs_reconciliation]
}

# --- Identities: what runs, and what starts it.

resource "google_service_account" "reconciliation" {
  for_each = local.reconciliation

  account_id   = "${var.name}-reconcile"
  display_name = "Runs the reconciliation of ${var.name}"

  depends_on = [time_sleep.services]
}

resource "google_service_account" "scheduler" {
  for_each = local.reconciliation

  account_id   = "${var.name}-scheduler"
  display_name = "Starts the reconciliation of ${var.name}, and may do nothing else"

  depends_on = [time_sleep.services]
}

# On the job alone.
resource "google_cloud_run_v2_job_iam_member" "scheduler_runs_reconciliation" {
  for_each = local.reconciliation

  name     = google_cloud_run_v2_job.reconciliation["job"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler["job"].member
}
