# The buckets that hold users' data: images (with the results beside them, unless those have a bucket of their own),
# results, archive.

locals {
  location = lower(coalesce(var.bucket_location, var.region))

  data_buckets = toset(concat(
    ["images"],
    var.separate_results ? ["results"] : [],
    var.archive_photos ? ["archive"] : [],
  ))

  images_bucket = google_storage_bucket.data["images"].name
  # Where results are written, and so what the upload function may write to and BigQuery reads.
  results_bucket = google_storage_bucket.data[var.separate_results ? "results" : "images"].name
  archive_bucket = var.archive_photos ? google_storage_bucket.data["archive"].name : null
}

resource "google_storage_bucket" "data" {
  for_each = local.data_buckets

  name                        = "${var.project_id}-${var.name}-${each.key}"
  location                    = local.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.delete_images_on_destroy

  # Brings back what was deleted or overwritten by mistake, without old versions of objects to list and to clear away.
  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  # Parts of an upload that its sender gave up are invisible and billed.
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.image_retention_days[*]
    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  dynamic "cors" {
    for_each = each.key == "images" && length(var.upload_cors_origins) > 0 ? [var.upload_cors_origins] : []
    content {
      origin          = cors.value
      method          = ["GET", "HEAD", "POST", "PUT"]
      response_header = ["Content-Range", "Content-Type", "ETag", "Range", "x-goog-generation", "x-goog-resumable"]
      max_age_seconds = 3600
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [time_sleep.services, time_sleep.key]
}
