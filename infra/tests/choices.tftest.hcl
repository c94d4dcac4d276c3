# What an operator may ask for.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}
mock_provider "archive" {}
mock_provider "random" {}
mock_provider "time" {}

override_resource {
  target          = google_project_iam_custom_role.result_writer
  override_during = plan
  values          = { name = "projects/my-project/roles/flowers_result_writer" }
}

variables {
  project_id = "my-project"
  region     = "europe-west1"
}

run "public_when_asked" {
  command = plan

  variables {
    allow_unauthenticated = true
    invokers              = ["user:ana@example.org"]
    cors_allow_origin     = "*"
  }

  assert {
    condition     = keys(google_cloud_run_v2_service_iam_member.callers) == ["allUsers", "trigger"] && google_cloud_run_v2_service_iam_member.callers["allUsers"].name == "flowers-http" && google_cloud_run_v2_service_iam_member.callers["allUsers"].role == "roles/run.invoker"
    error_message = "Everyone should be able to call the HTTPS function."
  }
  assert {
    condition     = startswith(output.access, "PUBLIC: ")
    error_message = "The plan should say that the endpoint is public."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.callers["trigger"].name == "flowers-upload" && google_cloudfunctions2_function.this["upload"].service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "The upload function should stay closed."
  }
  assert {
    condition     = google_storage_bucket.data["images"].public_access_prevention == "enforced"
    error_message = "A public endpoint should make no bucket public."
  }
}

run "people_let_in" {
  command = plan

  variables {
    invokers            = ["user:ana@example.org", "serviceAccount:app@my-project.iam.gserviceaccount.com"]
    uploaders           = ["group:botanists@example.org"]
    upload_cors_origins = ["https://app.example.org"]
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service_iam_member.callers)) == toset(concat(var.invokers, ["trigger"])) && strcontains(output.access, "ana@example.org")
    error_message = "Those named, and only those, should be able to call the HTTPS function."
  }
  assert {
    condition     = google_storage_bucket_iam_member.this["group:botanists@example.org adds my-project-flowers-images"].role == "roles/storage.objectCreator" && google_storage_bucket_iam_member.this["group:botanists@example.org adds my-project-flowers-images"].member == "group:botanists@example.org"
    error_message = "Uploaders should be able to add images, not to overwrite or delete any."
  }
  assert {
    condition     = google_storage_bucket_iam_member.this["group:botanists@example.org reads my-project-flowers-images"].role == "roles/storage.objectViewer" && length([for key in keys(google_storage_bucket_iam_member.this) : key if startswith(key, "group:")]) == 2
    error_message = "Uploaders should be able to read results."
  }
  assert {
    condition     = google_storage_bucket.data["images"].cors[0].origin == tolist(["https://app.example.org"]) && contains(google_storage_bucket.data["images"].cors[0].method, "PUT")
    error_message = "The web page named should be able to upload."
  }
}

run "own_key_in_a_multi_region" {
  command = plan

  variables {
    bucket_location  = "eu"
    kms_key          = "projects/my-project/locations/europe/keyRings/flowers/cryptoKeys/images"
    separate_results = true
    archive_photos   = true
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.data : bucket.encryption[0].default_kms_key_name == var.kms_key]) && length(google_storage_bucket.data) == 3
    error_message = "The key should encrypt every bucket with users' data."
  }
  assert {
    condition     = google_kms_crypto_key_iam_member.agents["storage"].role == "roles/cloudkms.cryptoKeyEncrypterDecrypter" && google_kms_crypto_key_iam_member.agents["storage"].member == "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    error_message = "Cloud Storage's agent should be able to use the key."
  }
  assert {
    condition     = contains(keys(google_project_service.this), "cloudkms")
    error_message = "The key's interface should be enabled."
  }
  assert {
    condition     = length(google_storage_bucket.source.encryption) == 0 && google_storage_bucket.source.location == "europe-west1"
    error_message = "The sources lie in the region, where a key of the multi-region cannot encrypt."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["upload"].event_trigger[0].trigger_region == "eu" && google_cloudfunctions2_function.this["upload"].location == "europe-west1" && google_bigquery_dataset.results.location == "eu"
    error_message = "Trigger and dataset should be where the bucket is, the functions in the region."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["upload"].service_config[0].environment_variables["RESULT_BUCKET"] == "my-project-flowers-results" && toset([for key in keys(google_storage_bucket_iam_member.this) : key if startswith(key, "upload ")]) == toset(["upload reads my-project-flowers-images", "upload reads my-project-flowers-results", "upload writes my-project-flowers-results"])
    error_message = "Results should go to their own bucket, where alone the upload function may write."
  }
  assert {
    condition     = [for filter in google_cloudfunctions2_function.this["upload"].event_trigger[0].event_filters : filter.value] == ["my-project-flowers-images"]
    error_message = "Neither results nor archived photos should trigger the function."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["http"].service_config[0].environment_variables["ARCHIVE_BUCKET"] == "my-project-flowers-archive"
    error_message = "The HTTPS function should know the archive."
  }
  assert {
    condition = toset([for grant in google_storage_bucket_iam_member.this : "${grant.bucket} ${grant.role} ${join("", grant.condition[*].expression)}" if grant.member == "serviceAccount:flowers-http@my-project.iam.gserviceaccount.com"]) == toset([
      "my-project-flowers-archive roles/storage.objectCreator ",
      "my-project-flowers-archive roles/storage.objectViewer ",
      "my-project-flowers-archive projects/my-project/roles/flowers_result_writer resource.name.endsWith(\".json\")",
    ])
    error_message = "The HTTPS function should add to the archive and read it, and replace nothing in it but results."
  }
  assert {
    condition     = keys(google_bigquery_table.quality) == ["archive_quality", "corrections", "uploads_quality"]
    error_message = "Each table of results should have its view of quality."
  }
  assert {
    condition     = strcontains(google_bigquery_table.quality["corrections"].view[0].query, "FROM `my-project.flowers.corrections_documents`") && strcontains(google_bigquery_table.quality["corrections"].view[0].query, "LEFT JOIN `my-project.flowers.archive_classifications`")
    error_message = "Corrections should be joined with what the model answered."
  }
  assert {
    condition     = { for key, table in google_bigquery_table.documents : key => table.external_data_configuration[0].source_uris } == { uploads = tolist(["gs://my-project-flowers-results/*.json"]), archive = tolist(["gs://my-project-flowers-archive/*.json"]), corrections = tolist(["gs://my-project-flowers-archive/*.correction.json"]) }
    error_message = "Each bucket with results should have its table."
  }
}

run "watched_and_bounded" {
  command = plan

  variables {
    alert_emails             = ["ops@example.org"]
    budget                   = { billing_account = "012345-6789AB-CDEF01", monthly_amount = 20 }
    image_retention_days     = 365
    soft_delete_days         = 0
    delete_images_on_destroy = true
  }

  assert {
    condition     = keys(google_monitoring_alert_policy.this) == ["error_ratio", "identified", "latency", "memory", "no_results", "retry_age"]
    error_message = "There should be an alert for each way in which it fails."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.this : length(policy.documentation[0].content) < 8192])
    error_message = "Documentation of an alert may have 8192 characters."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.this : policy.conditions[0].condition_prometheus_query_language[0].disable_metric_validation])
    error_message = "Without this, the first apply fails: nothing has been measured yet."
  }
  assert {
    condition     = google_monitoring_notification_channel.email["ops@example.org"].labels.email_address == "ops@example.org"
    error_message = "Alerts should be sent to the address given."
  }
  assert {
    condition     = google_billing_budget.this[0].budget_filter[0].projects == toset(["projects/123456789012"]) && google_billing_budget.this[0].amount[0].specified_amount[0].units == "20"
    error_message = "The budget should be of this project."
  }
  assert {
    condition     = [for rule in google_storage_bucket.data["images"].lifecycle_rule : one(rule.condition).age if one(rule.action).type == "Delete"] == [365]
    error_message = "Images should be deleted at the age asked for."
  }
  assert {
    condition     = google_storage_bucket.data["images"].soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "Soft delete should be off when asked."
  }
  assert {
    condition     = google_storage_bucket.data["images"].force_destroy
    error_message = "Destroy should delete images when asked."
  }
}

run "another_model_and_more_buckets" {
  command = plan

  variables {
    name            = "my-roses"
    model_path      = "gs://my-models/roses.onnx"
    allowed_buckets = ["my-project-my-roses-images", "other-bucket"]
    result_suffix   = ".flower.json"
    http            = { concurrency = 4, cpu = 2, memory = "2Gi", min_instances = 1 }
  }

  assert {
    condition     = alltrue([for account in ["http", "upload"] : google_storage_bucket_iam_member.this["${account} reads my-models"].role == "roles/storage.objectViewer"])
    error_message = "Both functions should be able to read the model."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["http"].service_config[0].environment_variables["ALLOWED_BUCKETS"] == "my-project-my-roses-images,other-bucket" && toset([for key in keys(google_storage_bucket_iam_member.this) : key if startswith(key, "http ")]) == toset(["http reads my-models", "http reads my-project-my-roses-images", "http reads other-bucket"])
    error_message = "The HTTPS function should be told of, and able to read, exactly the buckets named."
  }
  assert {
    condition     = google_storage_bucket_iam_member.this["upload writes my-project-my-roses-images"].condition[0].expression == "resource.name.endsWith(\".flower.json\")" && google_bigquery_table.documents["uploads"].external_data_configuration[0].source_uris == tolist(["gs://my-project-my-roses-images/*.flower.json"])
    error_message = "Grant and table should follow the suffix."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["http"].service_config[0].environment_variables["THREADS"] == "4" && google_cloudfunctions2_function.this["http"].service_config[0].max_instance_request_concurrency == 4 && google_cloudfunctions2_function.this["http"].service_config[0].available_cpu == "2" && google_cloudfunctions2_function.this["http"].service_config[0].min_instance_count == 1
    error_message = "The function should have the size asked for."
  }
  assert {
    condition     = google_bigquery_dataset.results.dataset_id == "my_roses" && google_logging_metric.upload_events.name == "my_roses_upload_events"
    error_message = "Names that take no hyphen should have an underscore."
  }
}

run "behind_a_load_balancer_with_login" {
  command = plan

  variables {
    edge     = { domain = "flowers.example.org", requests_per_minute = 30, iap = true }
    invokers = ["group:botanists@example.org"]
  }

  assert {
    condition     = google_cloudfunctions2_function.this["http"].service_config[0].ingress_settings == "ALLOW_INTERNAL_AND_GCLB"
    error_message = "The rate limit should have no way around it."
  }
  assert {
    condition     = [for rule in google_compute_security_policy.edge["edge"].rule : "${rule.rate_limit_options[0].rate_limit_threshold[0].count} in ${rule.rate_limit_options[0].rate_limit_threshold[0].interval_sec} s by ${rule.rate_limit_options[0].enforce_on_key}" if rule.action == "throttle"] == ["30 in 60 s by IP"]
    error_message = "Each address should have the limit that was asked for."
  }
  assert {
    condition     = google_compute_managed_ssl_certificate.edge["edge"].managed[0].domains == tolist(["flowers.example.org"]) && google_compute_global_forwarding_rule.edge["edge"].port_range == "443" && output.http_url == "https://flowers.example.org"
    error_message = "The domain should have a certificate, and be the address of the endpoint."
  }
  assert {
    condition     = google_compute_backend_service.edge["edge"].iap[0].enabled && google_iap_web_backend_service_iam_member.edge["group:botanists@example.org"].role == "roles/iap.httpsResourceAccessor" && google_cloud_run_v2_service_iam_member.callers["iap"].member == "serviceAccount:service-123456789012@gcp-sa-iap.iam.gserviceaccount.com"
    error_message = "People should log in, those named and nobody else, and IAP should be allowed to call the function."
  }
}

run "as_an_organization_requires" {
  command = plan

  variables {
    binary_authorization = true
    scan_images          = true
    vpc                  = { network = "shared", subnetwork = "functions", all_traffic = true }
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : function.service_config[0].binary_authorization_policy == "default"])
    error_message = "Both functions should be deployed under the project's policy."
  }
  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : function.service_config[0].direct_vpc_egress == "VPC_EGRESS_ALL_TRAFFIC" && function.service_config[0].direct_vpc_network_interface[0].subnetwork == "functions"])
    error_message = "Both functions should use the network."
  }
  assert {
    condition     = google_artifact_registry_repository.functions.vulnerability_scanning_config[0].enablement_config == "INHERITED" && contains(keys(google_project_service.this), "containerscanning")
    error_message = "Containers should be scanned."
  }
}
