# The reconciliation, and the backfill on Dataflow, where asked for.

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
    condition     = google_cloud_run_v2_job.reconciliation["job"].template[0].template[0].containers[0].args == tolist(["--", "python", "-m", "backfill", "--input", "gs://my-project-flowers-images/**", "--direct_num_workers", "2"])
    error_message = "The job should run the backfill over the images bucket."
  }
  assert {
    condition     = google_cloud_run_v2_job.reconciliation["job"].template[0].template[0].containers[0].image == "europe-west1-docker.pkg.dev/my-project/flowers-functions/backfill:0123456789abcdef"
    error_message = "The job should run the container that was built."
  }
  assert {
    condition     = google_cloud_run_v2_job.reconciliation["job"].template[0].template[0].service_account == "flowers-reconcile@my-project.iam.gserviceaccount.com" && google_cloud_run_v2_job.reconciliation["job"].template[0].template[0].timeout == "86400s"
    error_message = "The job should run as its own account, for a day at most."
  }
  assert {
    condition = { for variable in google_cloud_run_v2_job.reconciliation["job"].template[0].template[0].containers[0].env : variable.name => variable.value } == {
      GOOGLE_CLOUD_PROJECT = "my-project"
      MODEL_PATH           = "gs://my-models/roses.onnx"
      RESULT_BUCKET        = "my-project-flowers-results"
      RESULT_SUFFIX        = ".flower.json"
      RESULT_TOPIC         = "projects/my-project/topics/flowers-results"
    }
    error_message = "The job should have the upload function's settings."
  }
  assert {
    condition     = try(google_pubsub_topic_iam_member.publishers["reconcile"].member, "") == "serviceAccount:flowers-reconcile@my-project.iam.gserviceaccount.com" && try(google_pubsub_topic_iam_member.publishers["reconcile"].topic, "") == "flowers-results"
    error_message = "The job should be allowed to publish, to this topic alone."
  }
  assert {
    condition     = google_cloud_scheduler_job.reconciliation["job"].schedule == "0 3 * * *" && google_cloud_scheduler_job.reconciliation["job"].http_target[0].uri == "https://run.googleapis.com/v2/projects/my-project/locations/europe-west1/jobs/flowers-reconciliation:run" && google_cloud_scheduler_job.reconciliation["job"].http_target[0].oauth_token[0].service_account_email == "flowers-scheduler@my-project.iam.gserviceaccount.com"
    error_message = "The scheduler should start the job each night, as its own account."
  }
  assert {
    condition     = google_cloud_run_v2_job_iam_member.scheduler_runs_reconciliation["job"].role == "roles/run.invoker" && google_cloud_run_v2_job_iam_member.scheduler_runs_reconciliation["job"].name == "flowers-reconciliation" && google_cloud_run_v2_job_iam_member.scheduler_runs_reconciliation["job"].member == "serviceAccount:flowers-scheduler@my-project.iam.gserviceaccount.com"
    error_message = "The scheduler should be allowed to start this job alone."
  }
  assert {
    condition = toset([for grant in google_storage_bucket_iam_member.this : "${grant.bucket} ${grant.role} ${join("", grant.condition[*].expression)}" if grant.member == "serviceAccount:flowers-reconcile@my-project.iam.gserviceaccount.com"]) == toset([
      "my-project-flowers-images roles/storage.objectViewer ",
      "my-project-flowers-results roles/storage.objectViewer ",
      "my-models roles/storage.objectViewer ",
      "my-project-flowers-results projects/my-project/roles/flowers_result_writer resource.name.endsWith(\".flower.json\")",
    ])
    error_message = "The job should read images and the model, and write results and nothing else."
  }
  assert {
    condition     = length([for grant in concat(values(google_project_iam_member.this), values(google_storage_bucket_iam_member.this)) : grant if strcontains(grant.member, "dataflow")]) == 0
    error_message = "The reconciliation should grant Dataflow nothing."
  }
  assert {
    condition     = contains(keys(google_project_service.this), "cloudscheduler") && !contains(keys(google_project_service.this), "dataflow")
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
    condition     = google_project_iam_member.this["dataflow dataflow.worker"].role == "roles/dataflow.worker" && google_project_iam_member.this["dataflow dataflow.worker"].member == "serviceAccount:flowers-dataflow@my-project.iam.gserviceaccount.com"
    error_message = "Dataflow's workers should have an account of their own that may work."
  }
  assert {
    condition = toset([for grant in google_storage_bucket_iam_member.this : "${grant.bucket} ${grant.role} ${join("", grant.condition[*].expression)}" if grant.member == "serviceAccount:flowers-dataflow@my-project.iam.gserviceaccount.com"]) == toset([
      "my-project-flowers-images roles/storage.objectViewer ",
      "my-project-flowers-images projects/my-project/roles/flowers_result_writer resource.name.endsWith(\".json\")",
      "my-project-flowers-dataflow roles/storage.objectAdmin ",
    ])
    error_message = "Dataflow's workers should read images, write results, keep temporary files in their own bucket, and nothing else."
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
    condition     = google_artifact_registry_repository_iam_member.this["dataflow"].role == "roles/artifactregistry.reader"
    error_message = "Dataflow's workers should be able to read their container."
  }
  assert {
    condition     = google_bigquery_table_iam_member.writers["dataflow"].role == "roles/bigquery.dataEditor" && google_bigquery_table_iam_member.writers["dataflow"].table_id == "streamed_documents" && google_bigquery_table_iam_member.writers["dataflow"].member == "serviceAccount:flowers-dataflow@my-project.iam.gserviceaccount.com"
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
    condition     = strcontains(output.dataflow_options, "--no_use_public_ips") && strcontains(output.dataflow_options, "--subnetwork regions/europe-west1/subnetworks/flowers-dataflow") && strcontains(output.dataflow_options, "--service_account_email flowers-dataflow@my-project") && strcontains(output.dataflow_options, "/flowers-functions/backfill-dataflow:0123456789abcdef")
    error_message = "The options should name account, network and container."
  }
  assert {
    condition     = length(google_cloud_run_v2_job.reconciliation) + length(google_cloud_scheduler_job.reconciliation) == 0
    error_message = "Dataflow should schedule nothing."
  }
}
