# What function/backfill needs to run on Dataflow, if that is asked for: an account, a bucket for its temporary files, and
# a network whose workers reach Google's interfaces and nothing else. What they run comes with their container (make
# backfill-image), since they could install nothing. The output `dataflow_options` is what the program is given.

locals {
  dataflow = var.dataflow ? toset(["backfill"]) : toset([])
}

resource "google_storage_bucket" "dataflow" {
  for_each = local.dataflow

  name                        = "${var.project_id}-${var.name}-dataflow"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # temporary files only

  # Deleted files would be billed for a week more.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = 14 # longer than a job of 10^9 images takes; those of a job that was killed stay behind
    }
  }

  dynamic "encryption" {
    # A key of another location cannot encrypt here.
    for_each = local.location == lower(var.region) ? var.kms_key[*] : []
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [time_sleep.services, time_sleep.key]
}

# --- The network: no addresses on the internet, no way out but to Google's interfaces.

resource "google_compute_network" "dataflow" {
  for_each = local.dataflow

  name                    = "${var.name}-dataflow"
  auto_create_subnetworks = false

  depends_on = [time_sleep.services]
}

resource "google_compute_subnetwork" "dataflow" {
  for_each = local.dataflow

  name                     = "${var.name}-dataflow"
  region                   = var.region
  network                  = google_compute_network.dataflow["backfill"].id
  ip_cidr_range            = "10.128.0.0/20" # 4,092 workers
  private_ip_google_access = true
}

# Workers talk to each other: https://cloud.google.com/dataflow/docs/guides/routes-firewall
resource "google_compute_firewall" "dataflow_workers" {
  for_each = local.dataflow

  name        = "${var.name}-dataflow-workers"
  network     = google_compute_network.dataflow["backfill"].id
  direction   = "INGRESS"
  source_tags = ["dataflow"]
  target_tags = ["dataflow"]

  allow {
    protocol = "tcp"
    ports    = ["12345", "12346"]
  }
}
