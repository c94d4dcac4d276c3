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

  # Scanning is billed for each container.
  vulnerability_scanning_config {
    enablement_config = var.scan_images ? "INHERITED" : "DISABLED"
  }

  depends_on = [time_sleep.services]
}
