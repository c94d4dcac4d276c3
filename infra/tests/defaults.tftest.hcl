# What stands there when nothing but the project and the region is given. One run, since every run takes seconds.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}
mock_provider "archive" {}
mock_provider "time" {}

# What Google would fill in, so that the plan can be asked whose account is meant.
override_resource {
  target          = google_service_account.build
  override_during = plan
  values = {
    id     = "the build account"
    email  = "build@"
    member = "serviceAccount:build@"
  }
}
override_resource {
  target          = google_service_account.http
  override_during = plan
  values = {
    id     = "the http account"
    email  = "http@"
    member = "serviceAccount:http@"
  }
}
override_resource {
  target          = google_service_account.trigger
  override_during = plan
  values = {
    id     = "the trigger account"
    email  = "trigger@"
    member = "serviceAccount:trigger@"
  }
}
override_resource {
  target          = google_service_account.upload
  override_during = plan
  values = {
    id     = "the upload account"
    email  = "upload@"
    member = "serviceAccount:upload@"
  }
}
override_resource {
  target          = google_project_iam_custom_role.result_writer
  override_during = plan
  values          = { name = "projects/my-project/roles/flowers_result_writer" }
}
override_data {
  target          = data.archive_file.function
  override_during = plan
  values          = { output_sha256 = "abc" }
}

variables {
  project_id = "my-project"
  region     = "europe-west1"
}

run "nothing_but_project_and_region" {
  command = plan

  # Names, and the two functions.

  assert {
    condition     = google_cloudfunctions2_function.http.name == "flowers-http" && google_cloudfunctions2_function.upload.name == "flowers-upload"
    error_message = "The functions should be called NAME-http and NAME-upload."
  }
  assert {
    condition     = { for key, bucket in google_storage_bucket.data : key => bucket.name } == { images = "my-project-flowers-images" }
    error_message = "There should be one bucket with users' data, PROJECT-NAME-images."
  }
  assert {
    condition     = google_storage_bucket.source.name == "my-project-flowers-source"
    error_message = "The sources' bucket should be called PROJECT-NAME-source."
  }
  assert {
    condition = [
      for account in [google_service_account.build, google_service_account.http, google_service_account.trigger, google_service_account.upload] :
      account.account_id
    ] == ["flowers-build", "flowers-http", "flowers-trigger", "flowers-upload"]
    error_message = "Each role should have a service account of its own."
  }
  assert {
    condition     = google_cloudfunctions2_function.http.build_config[0].entry_point == "classify_http" && google_cloudfunctions2_function.upload.build_config[0].entry_point == "classify_upload"
    error_message = "The entry points should be those of function/main.py."
  }
  assert {
    condition = alltrue([
      for function in [google_cloudfunctions2_function.http, google_cloudfunctions2_function.upload] :
      function.build_config[0].source[0].storage_source[0].object == "function-abc.zip"
    ])
    error_message = "Both functions should be deployed from one archive, named after its content."
  }
  assert {
    condition = alltrue([
      for function in [google_cloudfunctions2_function.http, google_cloudfunctions2_function.upload] :
      function.service_config[0].max_instance_request_concurrency == 8 && function.service_config[0].environment_variables["THREADS"] == "8" &&
      function.service_config[0].available_memory == "2Gi" && function.service_config[0].available_cpu == "1" &&
      function.service_config[0].min_instance_count == 0
    ]) && google_cloudfunctions2_function.http.service_config[0].max_instance_count == 6 && google_cloudfunctions2_function.upload.service_config[0].max_instance_count == 3
    error_message = "An instance should take 8 requests with as many threads, one cpu and 2 GiB; idle, none should run, and no more than `make capacity` recommends."
  }
  assert {
    condition     = google_cloudfunctions2_function.http.service_config[0].service_account_email == "http@" && google_cloudfunctions2_function.upload.service_config[0].service_account_email == "upload@"
    error_message = "Each function should run as its own account."
  }
  assert {
    condition     = google_cloudfunctions2_function.http.build_config[0].service_account == "the build account" && google_cloudfunctions2_function.upload.build_config[0].service_account == "the build account"
    error_message = "Containers should be built by the build account, not by the project's default one."
  }
  assert {
    condition     = google_cloudfunctions2_function.upload.service_config[0].timeout_seconds >= 120
    error_message = "An event should have longer than the storage client retries."
  }

  # The trigger, and no way back into it.

  assert {
    condition     = length(google_cloudfunctions2_function.http.event_trigger) == 0
    error_message = "The HTTPS function should have no trigger."
  }
  assert {
    condition     = google_cloudfunctions2_function.upload.event_trigger[0].event_type == "google.cloud.storage.object.v1.finalized"
    error_message = "An upload is a finalized object."
  }
  assert {
    condition     = google_cloudfunctions2_function.upload.event_trigger[0].retry_policy == "RETRY_POLICY_RETRY"
    error_message = "Without retries, an upload is lost when the surroundings fail."
  }
  assert {
    condition     = google_cloudfunctions2_function.upload.event_trigger[0].trigger_region == google_storage_bucket.data["images"].location && google_storage_bucket.data["images"].location == "europe-west1"
    error_message = "The trigger should be where the bucket is, or it receives nothing."
  }
  assert {
    condition     = google_cloudfunctions2_function.upload.event_trigger[0].service_account_email == "trigger@"
    error_message = "Events should be delivered by the trigger's account."
  }
  assert {
    condition     = google_cloudfunctions2_function.upload.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "Nobody on the internet should reach the upload function."
  }
  assert {
    condition     = [for filter in google_cloudfunctions2_function.upload.event_trigger[0].event_filters : "${filter.attribute}=${filter.value}"] == ["bucket=my-project-flowers-images"]
    error_message = "Only the images bucket should trigger the function."
  }
  assert {
    condition     = google_cloudfunctions2_function.upload.service_config[0].environment_variables["RESULT_SUFFIX"] == ".json"
    error_message = "Results in the bucket that triggers have to be known by their suffix."
  }
  assert {
    condition     = google_cloudfunctions2_function.upload.service_config[0].max_instance_count <= 10
    error_message = "A mistake should not be able to run up an unbounded bill."
  }

  # Who may do what.

  assert {
    condition     = google_storage_bucket_iam_member.upload_reads_images.role == "roles/storage.objectViewer" && google_storage_bucket_iam_member.upload_reads_images.bucket == "my-project-flowers-images" && google_storage_bucket_iam_member.upload_reads_images.member == "serviceAccount:upload@"
    error_message = "The upload function should read images, and list them so that a missing one is 404 and not 403."
  }
  assert {
    condition     = google_project_iam_custom_role.result_writer.permissions == toset(["storage.objects.create", "storage.objects.delete"])
    error_message = "Writing results takes two permissions: create, and delete to replace."
  }
  assert {
    condition     = google_storage_bucket_iam_member.upload_writes_results.role == "projects/my-project/roles/flowers_result_writer" && google_storage_bucket_iam_member.upload_writes_results.member == "serviceAccount:upload@" && google_storage_bucket_iam_member.upload_writes_results.bucket == "my-project-flowers-images"
    error_message = "The upload function should write results where the images are."
  }
  assert {
    condition     = google_storage_bucket_iam_member.upload_writes_results.condition[0].expression == "resource.name.endsWith(\".json\")"
    error_message = "The upload function should write objects with the results' suffix only, never an image."
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.trigger_calls_upload.role == "roles/run.invoker" && google_cloud_run_v2_service_iam_member.trigger_calls_upload.name == "flowers-upload" && google_cloud_run_v2_service_iam_member.trigger_calls_upload.member == "serviceAccount:trigger@"
    error_message = "The trigger should be allowed to call the upload function's Run service."
  }
  assert {
    condition     = google_project_iam_member.trigger_receives_events.role == "roles/eventarc.eventReceiver" && google_project_iam_member.trigger_receives_events.member == "serviceAccount:trigger@"
    error_message = "The trigger should be allowed to receive events."
  }
  assert {
    condition     = google_project_iam_member.storage_publishes_events.role == "roles/pubsub.publisher" && google_project_iam_member.storage_publishes_events.member == "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    error_message = "Cloud Storage's agent should be allowed to publish events."
  }
  assert {
    condition     = strcontains(google_project_iam_member.build_reads_sources.condition[0].expression, "projects/_/buckets/gcf-v2-sources-123456789012-europe-west1") && !strcontains(google_project_iam_member.build_reads_sources.condition[0].expression, "images")
    error_message = "A build should read sources and no image."
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.http_reads_allowed_buckets) + length(google_storage_bucket_iam_member.http_reads_archive) + length(google_storage_bucket_iam_member.functions_read_model) == 0
    error_message = "The HTTPS function should have no access to any bucket."
  }

  # Private, and lasting.

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.callers) == 0
    error_message = "Nobody should be let in who was not named."
  }
  assert {
    condition     = startswith(output.access, "private: ")
    error_message = "The plan should say that the endpoint is private."
  }
  assert {
    condition = alltrue([
      for bucket in concat(values(google_storage_bucket.data), [google_storage_bucket.source]) :
      bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access
    ])
    error_message = "No bucket should be public, nor be able to become so."
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.uploaders_create) + length(google_storage_bucket_iam_member.uploaders_read) == 0
    error_message = "Nobody should be let into the buckets who was not named."
  }
  assert {
    condition     = length(google_storage_bucket.data["images"].cors) == 0
    error_message = "No web page should be able to upload that was not named."
  }
  assert {
    condition     = google_storage_bucket.data["images"].force_destroy == false
    error_message = "Destroying the deployment should not destroy images."
  }
  assert {
    condition     = google_storage_bucket.data["images"].soft_delete_policy[0].retention_duration_seconds == 604800
    error_message = "Deleted and overwritten images should come back for a week."
  }
  assert {
    condition     = [for rule in google_storage_bucket.data["images"].lifecycle_rule : one(rule.action).type] == ["AbortIncompleteMultipartUpload"]
    error_message = "No image should be deleted for its age."
  }

  # Off unless asked for.

  assert {
    condition     = length(google_pubsub_topic.results) + length(google_pubsub_subscription.results) + length(google_bigquery_table.streamed_documents) + length(google_pubsub_topic_iam_member.functions_publish) == 0
    error_message = "Nothing should be streamed that was not asked for."
  }
  assert {
    condition     = length(google_cloud_run_v2_job.reconciliation) + length(google_cloud_scheduler_job.reconciliation) + length(google_service_account.dataflow) + length(google_storage_bucket.dataflow) + length(google_compute_network.dataflow) + length(google_storage_bucket_iam_member.backfill_writes_results) == 0
    error_message = "Nothing should be scheduled or made for Dataflow that was not asked for."
  }

  # Tables and monitoring.

  assert {
    condition     = google_bigquery_table.documents["uploads"].external_data_configuration[0].source_uris == tolist(["gs://my-project-flowers-images/*.json"])
    error_message = "The table should read the results beside the images."
  }
  assert {
    condition     = google_bigquery_table.documents["uploads"].external_data_configuration[0].source_format == "NEWLINE_DELIMITED_JSON" && google_bigquery_table.documents["uploads"].external_data_configuration[0].autodetect == false
    error_message = "The table should have an explicit schema over one-line JSON."
  }
  assert {
    condition     = google_bigquery_dataset.results.location == google_storage_bucket.data["images"].location
    error_message = "BigQuery reads a bucket only from where it lies."
  }
  assert {
    condition     = strcontains(google_bigquery_table.classifications["uploads"].view[0].query, "FROM `my-project.flowers.uploads_documents`")
    error_message = "The view should read the table."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.this) + length(google_monitoring_notification_channel.email) + length(google_billing_budget.this) == 0
    error_message = "Idle, it should cost nothing: no alert policies without a reader, no budget without an account."
  }
  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.this.dashboard_json).gridLayout.widgets) == 7
    error_message = "The dashboard should show seven charts."
  }
  assert {
    condition     = google_logging_metric.upload_events.label_extractors == tomap({ event = "EXTRACT(jsonPayload.event)" })
    error_message = "Upload events should be counted by what became of them."
  }
}
