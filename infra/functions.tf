# The two functions, from one archive.

resource "google_cloudfunctions2_function" "http" {
  name        = "${var.name}-http"
  location    = var.region
  description = "Names the flower in a photograph sent over HTTPS"

  build_config {
    runtime           = var.runtime
    entry_point       = "classify_http"
    docker_repository = google_artifact_registry_repository.functions.id
    service_account   = google_service_account.build.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.function.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.http.email
    available_memory                 = var.http.memory
    available_cpu                    = tostring(var.http.cpu)
    max_instance_request_concurrency = var.http.concurrency
    timeout_seconds                  = var.http.timeout_seconds
    min_instance_count               = var.http.min_instances
    max_instance_count               = var.http.max_instances
    ingress_settings                 = var.http.ingress
    all_traffic_on_latest_revision   = true
    environment_variables            = local.http_environment
  }

  depends_on = [time_sleep.grants]
}

resource "google_cloudfunctions2_function" "upload" {
  name        = "${var.name}-upload"
  location    = var.region
  description = "Names the flower in each image that is uploaded, in a document beside it"

  build_config {
    runtime           = var.runtime
    entry_point       = "classify_upload"
    docker_repository = google_artifact_registry_repository.functions.id
    service_account   = google_service_account.build.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.function.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.upload.email
    available_memory                 = var.upload.memory
    available_cpu                    = tostring(var.upload.cpu)
    max_instance_request_concurrency = var.upload.concurrency
    timeout_seconds                  = var.upload.timeout_seconds
    min_instance_count               = var.upload.min_instances
    max_instance_count               = var.upload.max_instances
    ingress_settings                 = "ALLOW_INTERNAL_ONLY" # Eventarc counts as internal, and no one else has business here
    all_traffic_on_latest_revision   = true
    environment_variables            = local.upload_environment
  }

  event_trigger {
    event_type = "google.cloud.storage.object.v1.finalized"
    # Events come from where the bucket lies, which need not be where the function runs.
    trigger_region        = local.location
    service_account_email = google_service_account.trigger.email
    retry_policy          = "RETRY_POLICY_RETRY" # for 24 hours; what the input is to blame for is acknowledged by the function

    event_filters {
      attribute = "bucket"
      value     = local.images_bucket
    }
  }

  depends_on = [time_sleep.grants]
}
