# The account that cloudbuild.yaml runs as, where a pipeline is asked for. Whoever may start its builds has these rights.

locals {
  pipeline_roles = var.pipeline ? toset([
    "roles/artifactregistry.admin",
    "roles/bigquery.dataOwner",
    "roles/cloudbuild.builds.editor",
    "roles/cloudfunctions.admin",
    "roles/cloudscheduler.admin",
    "roles/compute.networkAdmin",
    "roles/compute.securityAdmin",
    "roles/eventarc.admin",
    "roles/iam.roleAdmin",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountUser",
    "roles/logging.configWriter",
    "roles/logging.logWriter",
    "roles/monitoring.admin",
    "roles/pubsub.admin",
    "roles/resourcemanager.projectIamAdmin",
    "roles/run.admin",
    "roles/serviceusage.serviceUsageAdmin",
    "roles/storage.admin",
  ]) : toset([])
}

resource "google_service_account" "pipeline" {
  count = var.pipeline ? 1 : 0

  account_id   = "${var.name}-pipeline"
  display_name = "Tests, deploys and smoke-tests ${var.name} in Cloud Build"

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "pipeline" {
  for_each = local.pipeline_roles

  project = var.project_id
  role    = each.value
  member  = google_service_account.pipeline[0].member
}
