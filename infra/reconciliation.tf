# What events lost is found and done, if that is asked for: Cloud Scheduler starts a Cloud Run job, which runs
# function/backfill over the images bucket and classifies what has no result by the model of the day. It keeps the upload
# function's protocol (function/flowers/results/result_objects.py), so that both may run at once, and again.
# Its container is made by `make backfill-image` (backfill-image.yaml), before it is asked for.

locals {
  reconciliation = { for key, settings in { job = var.reconciliation } : key => settings if settings != null }

  # As the upload function, but for what the platform reads there.
  reconciliation_environment = { for name, value in local.environment.upload : name => value if !contains(["LOG_EXECUTION_ID", "THREADS"], name) }

  # Tags name the content: another tag is other code.
  backfill_images = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.functions.repository_id}"
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
      service_account = local.email.reconcile
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

  depends_on = [time_sleep.grants]
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
      service_account_email = local.email.scheduler
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  retry_config {
    retry_count = 3
  }

  depends_on = [google_cloud_run_v2_job_iam_member.scheduler_runs_reconciliation]
}

# On the job alone.
resource "google_cloud_run_v2_job_iam_member" "scheduler_runs_reconciliation" {
  for_each = local.reconciliation

  name     = google_cloud_run_v2_job.reconciliation["job"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = local.member.scheduler
}
