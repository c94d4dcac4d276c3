# The two functions, from one archive, and what they are told.

locals {
  # The settings that were given a value, and what the platform wants to know.
  both_settings = merge(var.settings, {
    MODEL_PATH    = var.model_path
    RESULT_SUFFIX = var.result_suffix
    RESULT_TOPIC  = var.streaming ? "projects/${var.project_id}/topics/${local.results_topic}" : null

    # Ties log entries to the project's traces; Cloud Run does not set it.
    GOOGLE_CLOUD_PROJECT = var.project_id
    # Marks the log entries of a request as its own. A deployment adds it where it is missing, and the next plan would take it away.
    LOG_EXECUTION_ID = "true"
  })

  functions = {
    http = {
      description = "Names the flower in a photograph sent over HTTPS"
      size        = var.http
      # Behind the load balancer alone, whose rate limit would be passed by otherwise.
      ingress = var.edge == null ? var.http.ingress : "ALLOW_INTERNAL_AND_GCLB"
      settings = merge(local.both_settings, {
        ALLOWED_BUCKETS   = length(var.allowed_buckets) == 0 ? null : join(",", var.allowed_buckets)
        ARCHIVE_BUCKET    = local.archive_bucket
        ARCHIVE_METADATA  = var.archive_metadata
        CORS_ALLOW_ORIGIN = var.cors_allow_origin
        THREADS           = tostring(var.http.concurrency)
      })
    }
    upload = {
      description = "Names the flower in each image that is uploaded, in a document beside it"
      size        = var.upload
      ingress     = "ALLOW_INTERNAL_ONLY" # Eventarc counts as internal, and no one else has business here
      settings = merge(local.both_settings, {
        RESULT_BUCKET = var.separate_results ? local.results_bucket : null
        THREADS       = tostring(var.upload.concurrency)
      })
    }
  }
  environment = { for key, function in local.functions : key => { for name, value in function.settings : name => value if value != null } }

  # The one place for the version, which the containers of the backfill and CI read too.
  python = trimspace(file("${path.module}/python-version"))
}

resource "google_cloudfunctions2_function" "this" {
  for_each = local.functions

  name        = "${var.name}-${each.key}"
  location    = var.region
  description = each.value.description

  build_config {
    runtime           = "python${replace(local.python, ".", "")}"
    entry_point       = "classify_${each.key}"
    docker_repository = google_artifact_registry_repository.functions.id
    service_account   = google_service_account.this["build"].id

    # Google's build compiles the code, and the container's export resets all times, by which Python would find each file
    # stale and compile it again in every instance. With this, it goes by hashes: https://docs.python.org/3/library/py_compile.html
    environment_variables = { SOURCE_DATE_EPOCH = "315532800" }

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.function.name
      }
    }
  }

  service_config {
    service_account_email            = local.email[each.key]
    available_memory                 = each.value.size.memory
    available_cpu                    = tostring(each.value.size.cpu)
    max_instance_request_concurrency = each.value.size.concurrency
    timeout_seconds                  = each.value.size.timeout_seconds
    min_instance_count               = each.value.size.min_instances
    max_instance_count               = each.value.size.max_instances
    ingress_settings                 = each.value.ingress
    all_traffic_on_latest_revision   = true
    environment_variables            = local.environment[each.key]
    binary_authorization_policy      = var.binary_authorization ? "default" : null
    direct_vpc_egress                = var.vpc == null ? null : var.vpc.all_traffic ? "VPC_EGRESS_ALL_TRAFFIC" : "VPC_EGRESS_PRIVATE_RANGES_ONLY"

    dynamic "direct_vpc_network_interface" {
      for_each = var.vpc[*]
      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.subnetwork
      }
    }
  }

  dynamic "event_trigger" {
    for_each = each.key == "upload" ? [local.images_bucket] : []
    content {
      event_type = "google.cloud.storage.object.v1.finalized"
      # Events come from where the bucket lies, which need not be where the function runs.
      trigger_region        = local.location
      service_account_email = local.email.trigger
      retry_policy          = "RETRY_POLICY_RETRY" # for 24 hours; events of invalid images are acknowledged by the function

      event_filters {
        attribute = "bucket"
        value     = event_trigger.value
      }
    }
  }

  depends_on = [time_sleep.grants]
}
