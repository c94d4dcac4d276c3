# The environment of each function: the settings that were given a value, and what the platform wants to know.

locals {
  both_functions = {
    DEFAULT_LANGUAGE = var.default_language
    LOG_LEVEL        = var.log_level
    MAX_IMAGE_BYTES  = var.max_image_bytes
    MAX_IMAGE_PIXELS = var.max_image_pixels
    MODEL_PATH       = var.model_path
    PIXEL_BUDGET     = var.pixel_budget
    REJECT_BELOW     = var.reject_below
    RESULT_SUFFIX    = var.result_suffix
    RESULT_TOPIC     = var.streaming ? "projects/${var.project_id}/topics/${local.results_topic}" : null
    TOP_K            = var.top_k

    # Ties log entries to the project's traces; Cloud Run does not set it.
    GOOGLE_CLOUD_PROJECT = var.project_id
    # Marks the log entries of a request as its own. A deployment adds it where it is missing, and the next plan would take it away.
    LOG_EXECUTION_ID = "true"
  }

  http_settings = merge(local.both_functions, {
    ALLOWED_BUCKETS   = length(var.allowed_buckets) == 0 ? null : join(",", var.allowed_buckets)
    ARCHIVE_BUCKET    = local.archive_bucket
    CORS_ALLOW_ORIGIN = var.cors_allow_origin
    THREADS           = coalesce(var.http.threads, var.http.concurrency)
  })
  upload_settings = merge(local.both_functions, {
    RESULT_BUCKET = var.separate_results ? local.results_bucket : null
    THREADS       = coalesce(var.upload.threads, var.upload.concurrency)
  })

  http_environment   = { for name, value in local.http_settings : name => tostring(value) if value != null }
  upload_environment = { for name, value in local.upload_settings : name => tostring(value) if value != null }
}
