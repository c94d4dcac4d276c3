# Every value that is refused, and the variable that refuses it. A run gives several variables a bad value each; all of them, and
# no other, have to fail. Only variables.tf and settings.tf take part (tests/variables links to them): no provider is started.

variables {
  project_id = "my-project"
  region     = "europe-west1"
}

run "refused_1" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    alert_emails         = ["not an address"]
    alert_thresholds     = { error_ratio = 0 }
    allowed_buckets      = ["gs://bucket"]
    archive_metadata     = "yes"
    backfill_tag         = "a tag"
    budget               = { billing_account = "mine", monthly_amount = 20 }
    cors_allow_origin    = "app.example.org"
    pipeline             = { github = "flowers" }
    image_retention_days = 0
    invokers             = ["allUsers"]
    kms_key              = "images"
    model_path           = "https://example.org/other.onnx"
    name                 = "Flowers"
    project_id           = "123456789012"
    result_suffix        = ""
    soft_delete_days     = 6
    upload               = { memory = "big" }
    upload_cors_origins  = ["https://a.example/path"]
    uploaders            = ["allUsers"]
  }

  expect_failures = [
    var.alert_emails,
    var.alert_thresholds,
    var.allowed_buckets,
    var.archive_metadata,
    var.backfill_tag,
    var.budget,
    var.cors_allow_origin,
    var.pipeline,
    var.image_retention_days,
    var.invokers,
    var.kms_key,
    var.model_path,
    var.name,
    var.project_id,
    var.result_suffix,
    var.soft_delete_days,
    var.upload,
    var.upload_cors_origins,
    var.uploaders,
  ]
}

run "refused_2" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    alert_thresholds  = { memory_share = 1 }
    budget            = { billing_account = "012345-6789AB-CDEF01", monthly_amount = 0.5 }
    cors_allow_origin = "https://a.example, https://b.example"
    dataflow          = true
    invokers          = ["ana@example.org"]
    kms_key           = "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k"
    model_path        = "gs://bucket/model.keras"
    name              = "a-name-that-is-too-long"
    reconciliation    = {}
    result_suffix     = "json"
    soft_delete_days  = 91
    upload            = { cpu = 3 }
    uploaders         = ["allAuthenticatedUsers"]
  }

  expect_failures = [
    var.alert_thresholds,
    var.budget,
    var.cors_allow_origin,
    var.dataflow,
    var.invokers,
    var.kms_key,
    var.model_path,
    var.name,
    var.reconciliation,
    var.result_suffix,
    var.soft_delete_days,
    var.upload,
    var.uploaders,
  ]
}

run "refused_3" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    bucket_location  = "asia"
    region           = "eu"
    alert_thresholds = { latency_seconds = 0 }
    invokers         = ["allAuthenticatedUsers"]
    backfill_tag     = "0123456789abcdef"
    reconciliation   = { cpu = 3 }
    result_suffix    = ".jpg"
    upload           = { concurrency = 1001 }
  }

  expect_failures = [
    var.bucket_location,
    var.region,
    var.alert_thresholds,
    var.invokers,
    var.reconciliation,
    var.result_suffix,
    var.upload,
  ]
}

run "refused_4" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    bucket_location   = "nam4"
    alert_thresholds  = { retry_age_minutes = 1440 }
    backfill_tag      = "0123456789abcdef"
    reconciliation    = { memory = "512Mi" }
    result_suffix     = ".result.JPEG"
    settings          = { LOG_LEVEL = "LOUD" }
    upload            = { concurrency = 0 }
    cors_allow_origin = "https://app.example.org" # a private endpoint
    pipeline          = { cloud_build = "my-repository" }
  }

  expect_failures = [
    var.bucket_location,
    var.alert_thresholds,
    var.reconciliation,
    var.result_suffix,
    var.settings,
    var.upload,
    var.cors_allow_origin,
    var.pipeline,
  ]
}

run "refused_5" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    edge           = { domain = "flowers" }
    http           = { timeout_seconds = 3601 }
    backfill_tag   = "0123456789abcdef"
    reconciliation = { timeout_hours = 169 }
    result_suffix  = ".a/b"
    settings       = { TOP_K = "0" }
  }

  expect_failures = [
    var.edge,
    var.http,
    var.reconciliation,
    var.result_suffix,
    var.settings,
  ]
}

run "refused_6" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    edge           = { domain = "flowers.example.org", requests_per_minute = 0 }
    http           = { min_instances = 11 }
    backfill_tag   = "0123456789abcdef"
    reconciliation = { schedule = "nightly" }
    settings       = { DEFAULT_LANGUAGE = "fr" }
  }

  expect_failures = [
    var.edge,
    var.upload,
    var.reconciliation,
    var.settings,
  ]
}

run "refused_7" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    http     = { ingress = "ALLOW_NOBODY" }
    settings = { REJECT_BELOW = "1.5" }
  }

  expect_failures = [
    var.http,
    var.settings,
  ]
}

run "refused_8" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    http     = { memory = "5Gi" }
    settings = { MAX_IMAGE_BYTES = "0" }
  }

  expect_failures = [
    var.upload,
    var.settings,
  ]
}

run "refused_9" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    allow_unauthenticated = true
    cors_allow_origin     = "*"
    edge                  = { domain = "flowers.example.org", iap = true }
    settings              = { NO_SUCH_SETTING = "1" }
    upload                = { memory = "1Gi", cpu = 4 }
  }

  expect_failures = [
    var.cors_allow_origin,
    var.settings,
    var.upload,
  ]
}

run "refused_10" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    http     = { cpu = 3 }
    settings = { MAX_IMAGE_PIXELS = "many" }
  }

  expect_failures = [
    var.upload,
    var.settings,
  ]
}

run "refused_11" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    http     = { memory = "256Mi" }
    settings = { PIXEL_BUDGET = "-1" }
  }

  expect_failures = [
    var.upload,
    var.settings,
  ]
}

run "refused_12" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    settings = { REJECT_BELOW = "-0.1" }
    upload   = { timeout_seconds = 541 }
  }

  expect_failures = [
    var.settings,
    var.upload,
  ]
}

run "refused_13" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    settings = { REJECT_BELOW = "one" }
    upload   = { timeout_seconds = 119 }
  }

  expect_failures = [
    var.settings,
    var.upload,
  ]
}

run "refused_14" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    settings = { REJECT_BELOW = "2" }
    upload   = { max_instances = 0 }
  }

  expect_failures = [
    var.settings,
    var.upload,
  ]
}

run "accepted_at_the_edges" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    allow_unauthenticated = true
    edge                  = { domain = "a.b.example", requests_per_minute = 10000 }
    pipeline              = { cloud_build = "projects/p/locations/l/connections/c/repositories/r", github = "a/b.c", state_bucket = "my-state" }
    settings              = { DEFAULT_LANGUAGE = "es", LOG_LEVEL = "WARNING", MAX_IMAGE_BYTES = "1", MAX_IMAGE_PIXELS = "1", PIXEL_BUDGET = "1", REJECT_BELOW = "0", TOP_K = "1" }
    vpc                   = { network = "n", subnetwork = "s" }
    alert_emails          = ["ops+flowers@example.org"]
    alert_thresholds      = { error_ratio = 0.001, latency_seconds = 0.1, memory_share = 0.99, retry_age_minutes = 10 }
    allowed_buckets       = ["a.b-c_d"]
    backfill_tag          = "v1.0_a-b"
    bucket_location       = "eu"
    budget                = { billing_account = "012345-6789AB-CDEF01", monthly_amount = 1 }
    cors_allow_origin     = "http://localhost:8080"
    dataflow              = true
    http                  = { memory = "512Mi", concurrency = 1, timeout_seconds = 3600, min_instances = 1, max_instances = 1 }
    image_retention_days  = 1
    invokers              = ["domain:example.org"]
    kms_key               = "projects/p/locations/europe/keyRings/r/cryptoKeys/k"
    model_path            = "gs://models/2026/roses.onnx"
    name                  = "ab"
    reconciliation        = { schedule = "*/30 0-5 * * MON-FRI", cpu = 8, memory = "32Gi", timeout_hours = 168 }
    region                = "northamerica-northeast1"
    result_suffix         = ".flowers-v1.json"
    soft_delete_days      = 90
    upload                = { memory = "32Gi", cpu = 8, concurrency = 1000, timeout_seconds = 120 }
    upload_cors_origins   = ["http://localhost:8080"]
    uploaders             = ["principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/*"]
  }
}
