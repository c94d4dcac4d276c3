# What stands there when nothing but the project and the region is given. One run, since every run takes seconds.

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
    condition     = google_cloudfunctions2_function.this["http"].name == "flowers-http" && google_cloudfunctions2_function.this["upload"].name == "flowers-upload"
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
    condition     = [for account in google_service_account.this : account.account_id] == ["flowers-build", "flowers-http", "flowers-trigger", "flowers-upload"]
    error_message = "Each role should have a service account of its own."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["http"].build_config[0].entry_point == "classify_http" && google_cloudfunctions2_function.this["upload"].build_config[0].entry_point == "classify_upload"
    error_message = "The entry points should be those of function/main.py."
  }
  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.this :
      function.build_config[0].source[0].storage_source[0].object == "function-abc.zip"
    ])
    error_message = "Both functions should be deployed from one archive, named after its content."
  }
  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.this :
      function.service_config[0].max_instance_request_concurrency == 8 && function.service_config[0].environment_variables["THREADS"] == "8" &&
      function.service_config[0].available_memory == "2Gi" && function.service_config[0].available_cpu == "1" &&
      function.service_config[0].min_instance_count == 0
    ]) && google_cloudfunctions2_function.this["http"].service_config[0].max_instance_count == 6 && google_cloudfunctions2_function.this["upload"].service_config[0].max_instance_count == 3
    error_message = "An instance should take 8 requests with as many threads, one cpu and 2 GiB; idle, none should run, and no more than `make capacity` recommends."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["http"].service_config[0].service_account_email == "flowers-http@my-project.iam.gserviceaccount.com" && google_cloudfunctions2_function.this["upload"].service_config[0].service_account_email == "flowers-upload@my-project.iam.gserviceaccount.com"
    error_message = "Each function should run as its own account."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["upload"].service_config[0].timeout_seconds >= 120
    error_message = "An event should have longer than the storage client retries."
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : function.build_config[0].environment_variables["SOURCE_DATE_EPOCH"] == "315532800" && function.build_config[0].runtime == "python${replace(trimspace(file("python-version")), ".", "")}"])
    error_message = "Bytecode should stay valid in the container, on the Python of infra/python-version."
  }

  # The trigger, and no way back into it.

  assert {
    condition     = length(google_cloudfunctions2_function.this["http"].event_trigger) == 0
    error_message = "The HTTPS function should have no trigger."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["upload"].event_trigger[0].event_type == "google.cloud.storage.object.v1.finalized"
    error_message = "An upload is a finalized object."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["upload"].event_trigger[0].retry_policy == "RETRY_POLICY_RETRY"
    error_message = "Without retries, an upload is lost when the surroundings fail."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["upload"].event_trigger[0].trigger_region == google_storage_bucket.data["images"].location && google_storage_bucket.data["images"].location == "europe-west1"
    error_message = "The trigger should be where the bucket is, or it receives nothing."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["upload"].event_trigger[0].service_account_email == "flowers-trigger@my-project.iam.gserviceaccount.com"
    error_message = "Events should be delivered by the trigger's account."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["upload"].service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "Nobody on the internet should reach the upload function."
  }
  assert {
    condition     = [for filter in google_cloudfunctions2_function.this["upload"].event_trigger[0].event_filters : "${filter.attribute}=${filter.value}"] == ["bucket=my-project-flowers-images"]
    error_message = "Only the images bucket should trigger the function."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["upload"].service_config[0].environment_variables["RESULT_SUFFIX"] == ".json"
    error_message = "Results in the bucket that triggers have to be known by their suffix."
  }
  assert {
    condition     = google_cloudfunctions2_function.this["upload"].service_config[0].max_instance_count <= 10
    error_message = "A mistake should not be able to run up an unbounded bill."
  }

  # Who may do what.

  assert {
    condition = toset([for grant in google_storage_bucket_iam_member.this : "${grant.member} ${grant.role} ${grant.bucket} ${join("", grant.condition[*].expression)}"]) == toset([
      "serviceAccount:flowers-upload@my-project.iam.gserviceaccount.com roles/storage.objectViewer my-project-flowers-images ",
      "serviceAccount:flowers-upload@my-project.iam.gserviceaccount.com projects/my-project/roles/flowers_result_writer my-project-flowers-images resource.name.endsWith(\".json\")",
    ])
    error_message = "The upload function should read images (and list them, so that a missing one is 404 and not 403) and write objects with the results' suffix only, never an image; nobody else should have access to a bucket."
  }
  assert {
    condition     = google_project_iam_custom_role.result_writer.permissions == toset(["storage.objects.create", "storage.objects.delete"])
    error_message = "Writing results takes two permissions: create, and delete to replace."
  }
  assert {
    condition     = { for key, grant in google_cloud_run_v2_service_iam_member.callers : key => "${grant.member} ${grant.role} ${grant.name}" } == { trigger = "serviceAccount:flowers-trigger@my-project.iam.gserviceaccount.com roles/run.invoker flowers-upload" }
    error_message = "The trigger alone should be allowed to call a function, and only the upload function's Run service."
  }
  assert {
    condition = toset([for grant in google_project_iam_member.this : "${grant.member} ${grant.role}"]) == toset([
      "serviceAccount:flowers-build@my-project.iam.gserviceaccount.com roles/logging.logWriter",
      "serviceAccount:flowers-trigger@my-project.iam.gserviceaccount.com roles/eventarc.eventReceiver",
    ])
    error_message = "The trigger should be allowed to receive events, and a build to write its log; nobody else has a role on the project."
  }
  assert {
    condition = { for key, grant in google_project_iam_member.agents : key => "${grant.member} ${grant.role}" } == {
      eventarc = "serviceAccount:service-123456789012@gcp-sa-eventarc.iam.gserviceaccount.com roles/eventarc.serviceAgent"
      pubsub   = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com roles/pubsub.serviceAgent"
      storage  = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com roles/pubsub.publisher"
    }
    error_message = "Google's agents should be granted their roles: Eventarc's and Pub/Sub's own, and Cloud Storage's to publish events."
  }
  assert {
    condition     = google_project_iam_member.build_reads_sources.member == "serviceAccount:flowers-build@my-project.iam.gserviceaccount.com" && strcontains(google_project_iam_member.build_reads_sources.condition[0].expression, "projects/_/buckets/gcf-v2-sources-123456789012-europe-west1") && !strcontains(google_project_iam_member.build_reads_sources.condition[0].expression, "images")
    error_message = "A build should read sources and no image."
  }

  # What is granted works before it is needed.

  assert {
    condition     = tonumber(trimsuffix(time_sleep.grants.create_duration, "s")) >= 420
    error_message = "A grant may take seven minutes."
  }
  assert {
    condition     = alltrue([for grant in concat(keys(google_storage_bucket_iam_member.this), keys(google_project_iam_member.this)) : strcontains(time_sleep.grants.triggers.grants, grant)])
    error_message = "Each grant should be waited for, a later one too."
  }

  # Private, and lasting.

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
    condition     = length(google_pubsub_topic.this) + length(google_pubsub_subscription.results) + length(google_bigquery_table.streamed_documents) + length(google_pubsub_topic_iam_member.publishers) == 0
    error_message = "Nothing should be streamed that was not asked for."
  }
  assert {
    condition     = length(google_cloud_run_v2_job.reconciliation) + length(google_cloud_scheduler_job.reconciliation) + length(google_storage_bucket.dataflow) + length(google_compute_network.dataflow) == 0
    error_message = "Nothing should be scheduled or made for Dataflow that was not asked for."
  }

  assert {
    condition     = length(google_cloudbuild_trigger.this) + length(google_iam_workload_identity_pool.github) + length(google_compute_global_address.edge) == 0
    error_message = "No pipeline and no load balancer should be made that was not asked for."
  }
  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.this : function.service_config[0].binary_authorization_policy == null && length(function.service_config[0].direct_vpc_network_interface) == 0])
    error_message = "No network and no policy should be used that was not asked for."
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
    condition     = keys(google_bigquery_table.quality) == ["uploads_quality"] && strcontains(google_bigquery_table.quality["uploads_quality"].view[0].query, "FROM `my-project.flowers.uploads_classifications`")
    error_message = "The view of quality should be of uploads."
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
    condition     = length(jsondecode(google_monitoring_dashboard.this.dashboard_json).gridLayout.widgets) == 11
    error_message = "The dashboard should show eleven charts."
  }
  assert {
    condition     = google_logging_metric.upload_events.label_extractors == tomap({ event = "EXTRACT(jsonPayload.event)" })
    error_message = "Upload events should be counted by what became of them."
  }
}
