# Who may do what: a service account for each role, and the least that it works with. Every grant is additive; what others
# granted on the same resources stays.

resource "google_service_account" "http" {
  account_id   = "${var.name}-http"
  display_name = "Runs the HTTPS function of ${var.name}"

  depends_on = [time_sleep.services]
}

resource "google_service_account" "upload" {
  account_id   = "${var.name}-upload"
  display_name = "Runs the upload function of ${var.name}"

  depends_on = [time_sleep.services]
}

resource "google_service_account" "trigger" {
  account_id   = "${var.name}-trigger"
  display_name = "Delivers upload events of ${var.name}"

  depends_on = [time_sleep.services]
}

# --- The upload function: reads images, creates and replaces results.

# The viewer's role holds storage.objects.list too. Without it Cloud Storage answers 403 for an object that is gone, not 404,
# and the function could not tell "deleted meanwhile" (acknowledge) from "not allowed" (retry).
resource "google_storage_bucket_iam_member" "upload_reads_images" {
  bucket = local.images_bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.upload.member
}

resource "google_storage_bucket_iam_member" "upload_reads_results" {
  count = var.separate_results ? 1 : 0

  bucket = local.results_bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.upload.member
}

# No predefined role holds these two alone. Replacing an object is deleting the old one, to Cloud Storage.
resource "google_project_iam_custom_role" "result_writer" {
  role_id     = "${replace(var.name, "-", "_")}_result_writer"
  title       = "Result writer of ${var.name}"
  description = "Creates and replaces objects; reads none"
  permissions = ["storage.objects.create", "storage.objects.delete"]

  depends_on = [time_sleep.services]
}

locals {
  results_only = {
    title       = "results only"
    description = "Objects whose name ends in ${var.result_suffix}"
    expression  = "resource.name.endsWith(\"${var.result_suffix}\")"
  }
}

# The condition keeps the function from ever touching an image. What it cannot hold:
# - It goes by the name. An upload that is itself called "….json" is within the function's reach; only the code, which
#   replaces nothing but objects that bear its own metadata, protects it.
# - storage.objects.list is a permission on the bucket, which no condition on object names narrows; it is granted above,
#   for reading, without one.
# - It bounds this account. Whoever may deploy the function may give it another one.
resource "google_storage_bucket_iam_member" "upload_writes_results" {
  bucket = local.results_bucket
  role   = google_project_iam_custom_role.result_writer.name
  member = google_service_account.upload.member

  condition {
    title       = local.results_only.title
    description = local.results_only.description
    expression  = local.results_only.expression
  }
}

# --- The HTTPS function: reads the buckets that callers may name, adds to the archive.

resource "google_storage_bucket_iam_member" "http_reads_allowed_buckets" {
  for_each = toset(var.allowed_buckets)

  bucket = each.value
  role   = "roles/storage.objectViewer"
  member = google_service_account.http.member

  depends_on = [google_storage_bucket.data] # one of them may be named
}

# Adds photos, and overwrites none; looks before it writes (and lists, see above); creates and replaces the results beside them.
resource "google_storage_bucket_iam_member" "http_adds_to_archive" {
  count = var.archive_photos ? 1 : 0

  bucket = local.archive_bucket
  role   = "roles/storage.objectCreator"
  member = google_service_account.http.member
}

resource "google_storage_bucket_iam_member" "http_reads_archive" {
  count = var.archive_photos ? 1 : 0

  bucket = local.archive_bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.http.member
}

resource "google_storage_bucket_iam_member" "http_writes_archived_results" {
  count = var.archive_photos ? 1 : 0

  bucket = local.archive_bucket
  role   = google_project_iam_custom_role.result_writer.name
  member = google_service_account.http.member

  condition {
    title       = local.results_only.title
    description = local.results_only.description
    expression  = local.results_only.expression
  }
}

# --- Both: the model, where it is not the bundled one.

locals {
  model_bucket = try(regex("^gs://([^/]+)/", var.model_path)[0], null)
}

resource "google_storage_bucket_iam_member" "functions_read_model" {
  for_each = local.model_bucket == null ? {} : {
    http   = google_service_account.http.member
    upload = google_service_account.upload.member
  }

  bucket = local.model_bucket
  role   = "roles/storage.objectViewer"
  member = each.value
}

# --- The trigger: takes events from Eventarc, calls the upload function. Cloud Storage publishes what Eventarc delivers.

resource "google_project_iam_member" "trigger_receives_events" {
  project = var.project_id
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.trigger.member
}

resource "google_project_iam_member" "storage_publishes_events" {
  project = var.project_id
  role    = "roles/pubsub.publisher"
  member  = local.storage_agent

  depends_on = [data.google_storage_project_service_account.this]
}

# On the Run service: a function of the 2nd generation is called as one, and a grant on the function itself opens nothing.
resource "google_cloud_run_v2_service_iam_member" "trigger_calls_upload" {
  name     = google_cloudfunctions2_function.upload.name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.trigger.member
}

# --- People and programs.

resource "google_cloud_run_v2_service_iam_member" "callers" {
  for_each = toset(var.allow_unauthenticated ? ["allUsers"] : var.invokers)

  name     = google_cloudfunctions2_function.http.name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value
}

resource "google_storage_bucket_iam_member" "uploaders_create" {
  for_each = toset(var.uploaders)

  bucket = local.images_bucket
  role   = "roles/storage.objectCreator"
  member = each.value
}

resource "google_storage_bucket_iam_member" "uploaders_read" {
  for_each = toset(var.uploaders)

  bucket = local.results_bucket
  role   = "roles/storage.objectViewer"
  member = each.value
}

# --- The encryption key, where it is the operator's own: Cloud Storage uses it on everyone's behalf.

resource "google_kms_crypto_key_iam_member" "storage_agent" {
  count = var.kms_key == null ? 0 : 1

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = local.storage_agent

  depends_on = [data.google_storage_project_service_account.this]
}

resource "time_sleep" "key_grant" {
  count = var.kms_key == null ? 0 : 1

  create_duration = "60s" # a bucket with a key that its agent may not use yet is refused

  depends_on = [google_kms_crypto_key_iam_member.storage_agent]
}

# A grant takes effect within a minute or two, and a function that is deployed before that fails.
resource "time_sleep" "grants" {
  create_duration = "90s"

  depends_on = [
    google_artifact_registry_repository_iam_member.build_pushes,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_reads_sources,
    google_project_iam_member.storage_publishes_events,
    google_project_iam_member.trigger_receives_events,
    google_pubsub_topic_iam_member.functions_publish,
    google_storage_bucket_iam_member.functions_read_model,
    google_storage_bucket_iam_member.upload_reads_images,
    google_storage_bucket_iam_member.upload_writes_results,
  ]
}
