# What is deployed: function/ alone, as an archive named after its content, so that changed code is deployed and unchanged is not.

locals {
  function_folder = "${path.module}/../function"
}

data "archive_file" "function" {
  type        = "zip"
  source_dir  = local.function_folder
  output_path = "${path.module}/.build/function.zip"
  # The same files give the same archive, whatever the umask of whoever packs them.
  output_file_mode = "0644"

  # Not deployed: what Python and tools leave behind, documents, and the program for an operator's own machine.
  excludes = setunion([for pattern in ["**/__pycache__/**", "**/.*/**", "**/.*", "**/*.md", "**/requirements.in", "backfill/**"] : fileset(local.function_folder, pattern)]...)
}

resource "google_storage_bucket" "source" {
  name                        = "${var.project_id}-${var.name}-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # the repository has it all

  dynamic "encryption" {
    # A key of another location cannot encrypt here, and the code is no user's data.
    for_each = local.location == lower(var.region) ? var.kms_key[*] : []
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [time_sleep.services, time_sleep.key]
}

resource "google_storage_bucket_object" "function" {
  name         = "function-${data.archive_file.function.output_sha256}.zip"
  bucket       = google_storage_bucket.source.name
  source       = data.archive_file.function.output_path
  content_type = "application/zip"

  lifecycle {
    create_before_destroy = true # the functions name the old archive until the new one is in place
  }
}
