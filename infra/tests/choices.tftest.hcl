# What an operator may ask for.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}
mock_provider "archive" {}
mock_provider "time" {}

override_resource {
  target          = google_service_account.http
  override_during = plan
  values          = { member = "serviceAccount:http@" }
}
override_resource {
  target          = google_service_account.upload
  override_during = plan
  values          = { member = "serviceAccount:upload@" }
}
override_resource {
  target          = google_service_account.reconciliation
  override_during = plan
  values          = { email = "reconcile@", member = "serviceAccount:reconcile@" }
}
override_resource {
  target          = google_service_account.scheduler
  override_during = plan
  values          = { email = "scheduler@", member = "serviceAccount:scheduler@" }
}
override_resource {
  target          = google_service_account.dataflow
  override_during = plan
  values          = { email = "dataflow@", member = "serviceAccount:dataflow@" }
}
override_resource {
  target          = google_pubsub_topic.dead_letters
  override_during = plan
  values          = { id = "projects/my-project/topics/flowers-results-dead-letters" }
}
override_resource {
  target          = google_pubsub_topic.results
  override_during = plan
  values          = { id = "projects/my-project/topics/flowers-results" }
}
override_resource {
  target          = google_project_iam_custom_role.result_writer
  override_during = plan
  values          = { name = "projects/my-project/roles/flowers_result_writer" }
}
override_resource {
  target          = google_service_account.trigger
  override_during = plan
  values          = { email = "trigger@" } # the alerts' documentation names it
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
    condition     = keys(google_cloud_run_v2_service_iam_member.callers) == ["allUsers"] && google_cloud_run_v2_service_iam_member.callers["allUsers"].name == "flowers-http" && google_cloud_run_v2_service_iam_member.callers["allUsers"].role == "roles/run.invoker"
    error_message = "Everyone should be able to call the HTTPS function."
  }
  assert {
    condition     = startswith(output.access, "PUBLIC: ")
    error_message = "The plan should say that the endpoint is public."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.trigger_calls_upload.name == "flowers-upload" && google_cloudfunctions2_function.upload.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
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
    condition     = toset(keys(google_cloud_run_v2_service_iam_member.callers)) == toset(var.invokers) && strcontains(output.access, "ana@example.org")
    error_message = "Those named, and only those, should be able to call the HTTPS function."
  }
  assert {
    condition     = google_storage_bucket_iam_member.uploaders_create["group:botanists@example.org"].role == "roles/storage.objectCreator" && google_storage_bucket_iam_member.uploaders_create["group:botanists@example.org"].bucket == "my-project-flowers-images"
    error_message = "Uploaders should be able to add images, not to overwrite or delete any."
  }
  assert {
    condition     = google_storage_bucket_iam_member.uploaders_read["group:botanists@example.org"].role == "roles/storage.objectViewer"
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
    condition     = google_kms_crypto_key_iam_member.storage_agent[0].role == "roles/cloudkms.cryptoKeyEncrypterDecrypter" && google_kms_crypto_key_iam_member.storage_agent[0].member == "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    error_message = "Cloud Storage's agent should be able to use the key."
  }
  assert {
    condition     = contains(keys(google_project_service.this), "cloudkms.googleapis.com")
    error_message = "The key's interface should be enabled."
  }
  assert {
    condition     = length(google_storage_bucket.source.encryption) == 0 && google_storage_bucket.source.location == "europe-west1"
    error_message = "The sources lie in the region, where a key of the multi-region cannot encrypt."
  }
  assert {
    condition     = google_cloudfunctions2_function.upload.event_trigger[0].trigger_region == "eu" && google_cloudfunctions2_function.upload.location == "europe-west1" && google_bigquery_dataset.results.location == "eu"
    error_message = "Trigger and dataset should be where the bucket is, the functions in the region."
  }
  assert {
    condition     = google_cloudfunctions2_function.upload.service_config[0].environment_variables["RESULT_BUCKET"] == "my-project-flowers-results" && google_storage_bucket_iam_member.upload_writes_results.bucket == "my-project-flowers-results" && google_storage_bucket_iam_member.upload_reads_results[0].bucket == "my-project-flowers-results"
    error_message = "Results should go to their own bucket, where alone the upload function may write."
  }
  assert {
    condition     = [for filter in google_cloudfunctions2_function.upload.event_trigger[0].event_filters : filter.value] == ["my-project-flowers-images"]
    error_message = "Neither results nor archived photos should trigger the function."
  }
  assert {
    condition     = google_cloudfunctions2_function.http.service_config[0].environment_variables["ARCHIVE_BUCKET"] == "my-project-flowers-archive"
    error_message = "The HTTPS function should know the archive."
  }
  assert {
    condition = [
      for grant in [google_storage_bucket_iam_member.http_adds_to_archive[0], google_storage_bucket_iam_member.http_reads_archive[0], google_storage_bucket_iam_member.http_writes_archived_results[0]] :
      "${grant.bucket} ${grant.member} ${grant.role} ${join("", grant.condition[*].expression)}"
      ] == [
      "my-project-flowers-archive serviceAccount:http@ roles/storage.objectCreator ",
      "my-project-flowers-archive serviceAccount:http@ roles/storage.objectViewer ",
      "my-project-flowers-archive serviceAccount:http@ projects/my-project/roles/flowers_result_writer resource.name.endsWith(\".json\")",
    ]
    error_message = "The HTTPS function should add to the archive and read it, and replace nothing in it but results."
  }
  assert {
    condition     = { for key, table in google_bigquery_table.documents : key => table.external_data_configuration[0].source_uris } == { uploads = tolist(["gs://my-project-flowers-results/*.json"]), archive = tolist(["gs://my-project-flowers-archive/*.json"]) }
    error_message = "Each bucket with results should have its table."
  }
}

run "streamed_under_an_own_key" {
  command = plan

  variables {
    streaming                = true
    kms_key                  = "projects/my-project/locations/europe-west1/keyRings/flowers/cryptoKeys/images"
    image_retention_days     = 30
    delete_images_on_destroy = true
    alert_emails             = ["ops@example.org"]
  }

  assert {
    condition = alltrue([
      for function in [google_cloudfunctions2_function.http, google_cloudfunctions2_function.upload] :
      function.service_config[0].environment_variables["RESULT_TOPIC"] == "projects/my-project/topics/flowers-results"
    ])
    error_message = "Both functions should be told the topic."
  }
  assert {
    condition     = google_pubsub_topic.results["results"].name == "flowers-results" && google_pubsub_subscription.results["results"].topic == "projects/my-project/topics/flowers-results"
    error_message = "The subscription should read the topic that the functions publish to."
  }
  assert {
    condition     = { for key, grant in google_pubsub_topic_iam_member.functions_publish : "${key} ${grant.member}" => "${grant.topic} ${grant.role}" } == { "http serviceAccount:http@" = "flowers-results roles/pubsub.publisher", "upload serviceAccount:upload@" = "flowers-results roles/pubsub.publisher" }
    error_message = "Both functions should be allowed to publish, to this topic alone."
  }
  assert {
    condition     = google_pubsub_subscription.results["results"].bigquery_config[0].table == "my-project.flowers.streamed_documents" && google_pubsub_subscription.results["results"].bigquery_config[0].use_table_schema && google_pubsub_subscription.results["results"].bigquery_config[0].drop_unknown_fields
    error_message = "Messages should be written into the table's columns, fields that it does not know left out."
  }
  assert {
    condition     = google_bigquery_table_iam_member.pubsub_writes_documents["results"].role == "roles/bigquery.dataEditor" && google_bigquery_table_iam_member.pubsub_writes_documents["results"].table_id == "streamed_documents" && google_bigquery_table_iam_member.pubsub_writes_documents["results"].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent should be able to write into the table, and into no other."
  }
  assert {
    condition     = google_pubsub_subscription.results["results"].dead_letter_policy[0].dead_letter_topic == "projects/my-project/topics/flowers-results-dead-letters" && google_pubsub_subscription.dead_letters["results"].topic == "projects/my-project/topics/flowers-results-dead-letters"
    error_message = "What BigQuery refuses should wait in a subscription of its own."
  }
  assert {
    condition     = google_pubsub_topic_iam_member.pubsub_publishes_dead_letters["results"].role == "roles/pubsub.publisher" && google_pubsub_topic_iam_member.pubsub_publishes_dead_letters["results"].topic == "flowers-results-dead-letters" && google_pubsub_topic_iam_member.pubsub_publishes_dead_letters["results"].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent should be able to publish dead letters."
  }
  assert {
    condition     = google_pubsub_subscription_iam_member.pubsub_takes_dead_letters["results"].role == "roles/pubsub.subscriber" && google_pubsub_subscription_iam_member.pubsub_takes_dead_letters["results"].subscription == "flowers-results-to-bigquery" && google_pubsub_subscription_iam_member.pubsub_takes_dead_letters["results"].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent should be able to take dead letters out of the subscription."
  }
  assert {
    condition     = google_pubsub_subscription.results["results"].expiration_policy[0].ttl == "" && google_pubsub_subscription.dead_letters["results"].expiration_policy[0].ttl == ""
    error_message = "Subscriptions should not vanish when nothing happens for a month."
  }
  assert {
    condition     = jsondecode(google_bigquery_table.streamed_documents["results"].schema) == jsondecode(file("result_schema.json"))
    error_message = "The streamed table should have the columns of the external one."
  }
  assert {
    condition     = google_bigquery_table.streamed_documents["results"].time_partitioning[0].field == "classified_at" && google_bigquery_table.streamed_documents["results"].time_partitioning[0].expiration_ms == 2592000000
    error_message = "Documents should be deleted at the age asked for."
  }
  assert {
    condition     = google_bigquery_table.streamed_documents["results"].deletion_protection == false
    error_message = "Destroy should delete streamed documents when asked."
  }
  assert {
    condition     = strcontains(google_bigquery_table.streamed_classifications["results"].view[0].query, "FROM `my-project.flowers.streamed_documents`")
    error_message = "The view should read the streamed table."
  }
  assert {
    condition     = google_pubsub_topic.results["results"].kms_key_name == var.kms_key && google_pubsub_topic.dead_letters["results"].kms_key_name == var.kms_key && google_bigquery_table.streamed_documents["results"].encryption_configuration[0].kms_key_name == var.kms_key
    error_message = "The key should encrypt topics and table."
  }
  assert {
    condition = { for key, grant in google_kms_crypto_key_iam_member.streaming_agents : key => "${grant.role} ${grant.member}" } == {
      bigquery = "roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:bq-123456789012@bigquery-encryption.iam.gserviceaccount.com"
      pubsub   = "roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    }
    error_message = "The agents of Pub/Sub and BigQuery should be able to use the key."
  }
  assert {
    condition     = contains(keys(google_monitoring_alert_policy.this), "dead_letters") && strcontains(google_monitoring_alert_policy.this["dead_letters"].conditions[0].condition_prometheus_query_language[0].query, "subscription_id=\"flowers-results-dead-letters\"")
    error_message = "Dead letters should be told."
  }
  assert {
    condition     = output.result_topic == "projects/my-project/topics/flowers-results" && output.classifications["streamed"] == "my-project.flowers.streamed_classifications"
    error_message = "The outputs should name topic and view."
  }
}

run "streamed_with_google_s_keys_and_kept" {
  command = plan

  variables {
    streaming = true
  }

  assert {
    condition     = google_bigquery_table.streamed_documents["results"].deletion_protection
    error_message = "Streamed documents should be kept through a destroy, unless asked."
  }
  assert {
    condition     = length(google_kms_crypto_key_iam_member.streaming_agents) + length(google_bigquery_table.streamed_documents["results"].encryption_configuration) == 0
    error_message = "Without a key of one's own, none should be granted."
  }
}

run "reconciled_each_night_with_results_apart" {
  command = plan

  variables {
    reconciliation   = {}
    backfill_tag     = "0123456789abcdef"
    separate_results = true
    streaming        = true
    model_path       = "gs://my-models/roses.onnx"
    result_suffix    = ".flower.json"
    alert_emails     = ["ops@example.org"]
  }

  assert {
    condition     = google_cloud_run_v2_job.reconciliation["job"].template[0].template[0].containers[0].args == tolist(["--", "python", "backfill.py", "--input", "gs://my-project-flowers-images/**", "--direct_num_workers", "2"])
    error_message = "The job should run the backfill over the images bucket."
  }
  assert {
    condition     = google_cloud_run_v2_job.reconciliation["job"].template[0].template[0].containers[0].image == "europe-west1-docker.pkg.dev/my-project/flowers-functions/backfill:0123456789abcdef"
    error_message = "The job should run the container that was built."
  }
  assert {
    condition     = google_cloud_run_v2_job.reconciliation["job"].template[0].template[0].service_account == "reconcile@" && google_cloud_run_v2_job.reconciliation["job"].template[0].template[0].timeout == "86400s"
    error_message = "The job should run as its own account, for a day at most."
  }
  assert {
    condition = { for variable in google_cloud_run_v2_job.reconciliation["job"].template[0].template[0].containers[0].env : variable.name => variable.value } == {
      GOOGLE_CLOUD_PROJECT = "my-project"
      MODEL_PATH           = "gs://my-models/roses.onnx"
      RESULT_BUCKET        = "my-project-flowers-results"
      RESULT_SUFFIX        = ".flower.json"
    }
    error_message = "The job should have the upload function's settings, and no topic."
  }
  assert {
    condition     = google_cloud_scheduler_job.reconciliation["job"].schedule == "0 3 * * *" && google_cloud_scheduler_job.reconciliation["job"].http_target[0].uri == "https://run.googleapis.com/v2/projects/my-project/locations/europe-west1/jobs/flowers-reconciliation:run" && google_cloud_scheduler_job.reconciliation["job"].http_target[0].oauth_token[0].service_account_email == "scheduler@"
    error_message = "The scheduler should start the job each night, as its own account."
  }
  assert {
    condition     = google_cloud_run_v2_job_iam_member.scheduler_runs_reconciliation["job"].role == "roles/run.invoker" && google_cloud_run_v2_job_iam_member.scheduler_runs_reconciliation["job"].name == "flowers-reconciliation" && google_cloud_run_v2_job_iam_member.scheduler_runs_reconciliation["job"].member == "serviceAccount:scheduler@"
    error_message = "The scheduler should be allowed to start this job alone."
  }
  assert {
    condition = [
      for grant in [google_storage_bucket_iam_member.backfill_reads_images["reconciliation"], google_storage_bucket_iam_member.backfill_reads_results["reconciliation"], google_storage_bucket_iam_member.backfill_reads_model["reconciliation"], google_storage_bucket_iam_member.backfill_writes_results["reconciliation"]] :
      "${grant.bucket} ${grant.member} ${grant.role} ${join("", grant.condition[*].expression)}"
      ] == [
      "my-project-flowers-images serviceAccount:reconcile@ roles/storage.objectViewer ",
      "my-project-flowers-results serviceAccount:reconcile@ roles/storage.objectViewer ",
      "my-models serviceAccount:reconcile@ roles/storage.objectViewer ",
      "my-project-flowers-results serviceAccount:reconcile@ projects/my-project/roles/flowers_result_writer resource.name.endsWith(\".flower.json\")",
    ]
    error_message = "The job should read images and the model, and write results and nothing else."
  }
  assert {
    condition     = keys(google_storage_bucket_iam_member.backfill_writes_results) == ["reconciliation"] && length(google_project_iam_member.dataflow_works) == 0
    error_message = "The reconciliation should grant Dataflow nothing."
  }
  assert {
    condition     = contains(keys(google_project_service.this), "cloudscheduler.googleapis.com") && !contains(keys(google_project_service.this), "dataflow.googleapis.com")
    error_message = "The scheduler's interface should be enabled."
  }
  assert {
    condition     = contains(keys(google_monitoring_alert_policy.this), "reconciliation")
    error_message = "A failed reconciliation should be told."
  }
}

run "backfilled_on_dataflow" {
  command = plan

  variables {
    dataflow     = true
    streaming    = true
    backfill_tag = "0123456789abcdef"
    kms_key      = "projects/my-project/locations/europe-west1/keyRings/flowers/cryptoKeys/images"
  }

  assert {
    condition     = google_project_iam_member.dataflow_works["backfill"].role == "roles/dataflow.worker" && google_project_iam_member.dataflow_works["backfill"].member == "serviceAccount:dataflow@"
    error_message = "Dataflow's workers should have an account of their own that may work."
  }
  assert {
    condition     = google_storage_bucket_iam_member.backfill_writes_results["dataflow"].member == "serviceAccount:dataflow@" && google_storage_bucket_iam_member.backfill_writes_results["dataflow"].condition[0].expression == "resource.name.endsWith(\".json\")" && google_storage_bucket_iam_member.backfill_reads_images["dataflow"].role == "roles/storage.objectViewer"
    error_message = "Dataflow's workers should read images and write results and nothing else."
  }
  assert {
    condition     = google_storage_bucket.dataflow["backfill"].public_access_prevention == "enforced" && google_storage_bucket.dataflow["backfill"].uniform_bucket_level_access && google_storage_bucket.dataflow["backfill"].encryption[0].default_kms_key_name == var.kms_key
    error_message = "The bucket for temporary files should be private, under the operator's key."
  }
  assert {
    condition     = [for rule in google_storage_bucket.dataflow["backfill"].lifecycle_rule : "${one(rule.action).type} ${one(rule.condition).age}"] == ["Delete 14"]
    error_message = "Temporary files should be deleted."
  }
  assert {
    condition     = google_storage_bucket_iam_member.dataflow_keeps_temporary_files["backfill"].role == "roles/storage.objectAdmin" && google_storage_bucket_iam_member.dataflow_keeps_temporary_files["backfill"].bucket == "my-project-flowers-dataflow"
    error_message = "Dataflow's workers should keep temporary files in their own bucket."
  }
  assert {
    condition     = google_artifact_registry_repository_iam_member.dataflow_reads_container["backfill"].role == "roles/artifactregistry.reader"
    error_message = "Dataflow's workers should be able to read their container."
  }
  assert {
    condition     = google_bigquery_table_iam_member.dataflow_writes_documents["results"].role == "roles/bigquery.dataEditor" && google_bigquery_table_iam_member.dataflow_writes_documents["results"].table_id == "streamed_documents" && google_bigquery_table_iam_member.dataflow_writes_documents["results"].member == "serviceAccount:dataflow@"
    error_message = "Dataflow's workers should be able to write into the streamed table, where there is one."
  }
  assert {
    condition     = google_compute_subnetwork.dataflow["backfill"].private_ip_google_access && google_compute_network.dataflow["backfill"].auto_create_subnetworks == false
    error_message = "Workers without addresses on the internet should reach Google's interfaces."
  }
  assert {
    condition     = google_compute_firewall.dataflow_workers["backfill"].source_tags == toset(["dataflow"]) && google_compute_firewall.dataflow_workers["backfill"].target_tags == toset(["dataflow"]) && length(coalesce(google_compute_firewall.dataflow_workers["backfill"].source_ranges, [])) == 0
    error_message = "Only workers should reach workers."
  }
  assert {
    condition     = strcontains(output.dataflow_options, "--no_use_public_ips") && strcontains(output.dataflow_options, "--subnetwork regions/europe-west1/subnetworks/flowers-dataflow") && strcontains(output.dataflow_options, "--service_account_email dataflow@") && strcontains(output.dataflow_options, "/flowers-functions/backfill-dataflow:0123456789abcdef")
    error_message = "The options should name account, network and container."
  }
  assert {
    condition     = length(google_cloud_run_v2_job.reconciliation) + length(google_cloud_scheduler_job.reconciliation) == 0
    error_message = "Dataflow should schedule nothing."
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
    condition     = keys(google_monitoring_alert_policy.this) == ["error_ratio", "latency", "memory", "no_results", "retry_age"]
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
    http            = { concurrency = 4, threads = 2, cpu = 2, memory = "2Gi", min_instances = 1 }
  }

  assert {
    condition     = { for key, grant in google_storage_bucket_iam_member.functions_read_model : key => "${grant.bucket} ${grant.role}" } == { http = "my-models roles/storage.objectViewer", upload = "my-models roles/storage.objectViewer" }
    error_message = "Both functions should be able to read the model."
  }
  assert {
    condition     = google_cloudfunctions2_function.http.service_config[0].environment_variables["ALLOWED_BUCKETS"] == "my-project-my-roses-images,other-bucket" && toset([for grant in google_storage_bucket_iam_member.http_reads_allowed_buckets : "${grant.bucket} ${grant.role}"]) == toset(["my-project-my-roses-images roles/storage.objectViewer", "other-bucket roles/storage.objectViewer"])
    error_message = "The HTTPS function should be told of, and able to read, exactly the buckets named."
  }
  assert {
    condition     = google_storage_bucket_iam_member.upload_writes_results.condition[0].expression == "resource.name.endsWith(\".flower.json\")" && google_bigquery_table.documents["uploads"].external_data_configuration[0].source_uris == tolist(["gs://my-project-my-roses-images/*.flower.json"])
    error_message = "Grant and table should follow the suffix."
  }
  assert {
    condition     = google_cloudfunctions2_function.http.service_config[0].environment_variables["THREADS"] == "2" && google_cloudfunctions2_function.http.service_config[0].max_instance_request_concurrency == 4 && google_cloudfunctions2_function.http.service_config[0].available_cpu == "2" && google_cloudfunctions2_function.http.service_config[0].min_instance_count == 1
    error_message = "The function should have the size asked for."
  }
  assert {
    condition     = google_project_iam_custom_role.result_writer.role_id == "my_roses_result_writer" && google_bigquery_dataset.results.dataset_id == "my_roses" && google_logging_metric.upload_events.name == "my_roses_upload_events"
    error_message = "Names that take no hyphen should have an underscore."
  }
}

run "deployed_by_a_pipeline" {
  command = plan

  variables {
    pipeline = true
  }

  assert {
    condition     = google_service_account.pipeline[0].account_id == "flowers-pipeline"
    error_message = "The pipeline should have an account of its own."
  }
  assert {
    condition     = length(google_project_iam_member.pipeline) > 0 && length(setintersection(keys(google_project_iam_member.pipeline), ["roles/owner", "roles/editor"])) == 0
    error_message = "The pipeline should have the roles that it needs, and no basic role."
  }
}
