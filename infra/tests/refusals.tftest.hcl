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
    backfill_tag         = "a tag"
    budget               = { billing_account = "mine", monthly_amount = 20 }
    cors_allow_origin    = "app.example.org"
    default_language     = "fr"
    http                 = { memory = "256Mi" }
    image_retention_days = 0
    invokers             = ["allUsers"]
    kms_key              = "images"
    log_level            = "LOUD"
    max_image_bytes      = 0
    max_image_pixels     = 0
    model_path           = "https://example.org/other.onnx"
    name                 = "Flowers"
    pixel_budget         = 0
    project_id           = "123456789012"
    reject_below         = 1.5
    result_suffix        = ""
    runtime              = "nodejs22"
    soft_delete_days     = 6
    top_k                = 0
    upload               = { memory = "big" }
    upload_cors_origins  = ["https://a.example/path"]
    uploaders            = ["allUsers"]
  }

  expect_failures = [
    var.alert_emails,
    var.alert_thresholds,
    var.allowed_buckets,
    var.backfill_tag,
    var.budget,
    var.cors_allow_origin,
    var.default_language,
    var.http,
    var.image_retention_days,
    var.invokers,
    var.kms_key,
    var.log_level,
    var.max_image_bytes,
    var.max_image_pixels,
    var.model_path,
    var.name,
    var.pixel_budget,
    var.project_id,
    var.reject_below,
    var.result_suffix,
    var.runtime,
    var.soft_delete_days,
    var.top_k,
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
    http              = { cpu = 0.5 }
    invokers          = ["ana@example.org"]
    kms_key           = "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k"
    model_path        = "gs://bucket/model.keras"
    name              = "a-name-that-is-too-long"
    reconciliation    = {}
    reject_below      = -0.1
    result_suffix     = "json"
    runtime           = "python310"
    soft_delete_days  = 91
    upload            = { cpu = 3 }
    uploaders         = ["allAuthenticatedUsers"]
  }

  expect_failures = [
    var.alert_thresholds,
    var.budget,
    var.cors_allow_origin,
    var.dataflow,
    var.http,
    var.invokers,
    var.kms_key,
    var.model_path,
    var.name,
    var.reconciliation,
    var.reject_below,
    var.result_suffix,
    var.runtime,
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
    http             = { concurrency = 0 }
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
    var.http,
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
    bucket_location  = "nam4"
    alert_thresholds = { retry_age_minutes = 1440 }
    http             = { threads = 0 }
    backfill_tag     = "0123456789abcdef"
    reconciliation   = { memory = "512Mi" }
    result_suffix    = ".result.JPEG"
    upload           = { threads = 0 }
  }

  expect_failures = [
    var.bucket_location,
    var.alert_thresholds,
    var.http,
    var.reconciliation,
    var.result_suffix,
    var.upload,
  ]
}

run "refused_5" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    http           = { timeout_seconds = 3601 }
    backfill_tag   = "0123456789abcdef"
    reconciliation = { timeout_hours = 169 }
    result_suffix  = ".a/b"
    upload         = { timeout_seconds = 119 }
  }

  expect_failures = [
    var.http,
    var.reconciliation,
    var.result_suffix,
    var.upload,
  ]
}

run "refused_6" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    backfill_tag   = "0123456789abcdef"
    http           = { min_instances = 11 }
    reconciliation = { schedule = "nightly" }
    upload         = { timeout_seconds = 541 }
  }

  expect_failures = [
    var.http,
    var.reconciliation,
    var.upload,
  ]
}

run "refused_7" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    http   = { ingress = "ALLOW_NOBODY" }
    upload = { max_instances = 0 }
  }

  expect_failures = [
    var.http,
    var.upload,
  ]
}

run "refused_8" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    http   = { memory = "5Gi" }
    upload = { memory = "1Gi", cpu = 4 }
  }

  expect_failures = [
    var.http,
    var.upload,
  ]
}

run "accepted_at_the_edges" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    alert_emails         = ["ops+flowers@example.org"]
    alert_thresholds     = { error_ratio = 0.001, latency_seconds = 0.1, memory_share = 0.99, retry_age_minutes = 10 }
    allowed_buckets      = ["a.b-c_d"]
    backfill_tag         = "v1.0_a-b"
    bucket_location      = "eu"
    budget               = { billing_account = "012345-6789AB-CDEF01", monthly_amount = 1 }
    cors_allow_origin    = "http://localhost:8080"
    dataflow             = true
    default_language     = "es"
    http                 = { memory = "512Mi", concurrency = 1, threads = 1, timeout_seconds = 3600, min_instances = 1, max_instances = 1 }
    image_retention_days = 1
    invokers             = ["domain:example.org"]
    kms_key              = "projects/p/locations/europe/keyRings/r/cryptoKeys/k"
    log_level            = "WARNING"
    max_image_bytes      = 1
    max_image_pixels     = 1
    model_path           = "gs://models/2026/roses.onnx"
    name                 = "ab"
    pixel_budget         = 1
    reconciliation       = { schedule = "*/30 0-5 * * MON-FRI", cpu = 8, memory = "32Gi", timeout_hours = 168 }
    region               = "northamerica-northeast1"
    reject_below         = 0
    result_suffix        = ".flowers-v1.json"
    runtime              = "python313"
    soft_delete_days     = 90
    top_k                = 1
    upload               = { memory = "32Gi", cpu = 8, concurrency = 1000, timeout_seconds = 120 }
    upload_cors_origins  = ["http://localhost:8080"]
    uploaders            = ["principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/*"]
  }
}
