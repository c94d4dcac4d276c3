# Where the functions' containers are built and kept.

resource "google_artifact_registry_repository" "functions" {
  repository_id = "${var.name}-functions"
  location      = var.region
  format        = "DOCKER"
  description   = "Containers of the ${var.name} functions"

  # Every deployment leaves a container behind; the last five are enough to roll back to.
  cleanup_policies {
    id     = "keep-last-five"
    action = "KEEP"
    most_recent_versions {
      keep_count = 5
    }
  }
  cleanup_policies {
    id     = "delete-older"
    action = "DELETE"
    condition {
      older_than = "2592000s" # 30 days
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_service_account" "build" {
  account_id   = "${var.name}-build"
  display_name = "Builds the containers of the ${var.name} functions"

  depends_on = [time_sleep.services]
}

resource "google_project_iam_member" "build_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

resource "google_artifact_registry_repository_iam_member" "build_pushes" {
  repository = google_artifact_registry_repository.functions.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

# A build runs code from package registries: it reads sources and no image. Cloud Functions copies the archive into a
# bucket of its own, which exists only after the first deployment, so that the grant stands on the project and names it.
resource "google_project_iam_member" "build_reads_sources" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title       = "function sources only"
    description = "The buckets that Cloud Functions copies sources to, and this deployment's own"
    expression = join(" || ", [
      "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-${var.region}\")",
      "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.source.name}\")",
    ])
  }
}
