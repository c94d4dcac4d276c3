# The interfaces that everything else needs, and the wait until a new project's service agents are there.

data "google_project" "this" {
  project_id = var.project_id
}

locals {
  services = concat(
    [
      "artifactregistry.googleapis.com",
      "bigquery.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudfunctions.googleapis.com",
      "eventarc.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "storage.googleapis.com",
    ],
    var.dataflow ? ["compute.googleapis.com", "dataflow.googleapis.com"] : [],
    var.reconciliation == null ? [] : ["cloudscheduler.googleapis.com"],
    var.budget == null ? [] : ["billingbudgets.googleapis.com"],
    var.kms_key == null ? [] : ["cloudkms.googleapis.com"],
  )
}

resource "google_project_service" "this" {
  for_each = toset(local.services)

  service = each.value
  # Others in the project may use them too.
  disable_on_destroy = false
}

# An interface answers some time after it was enabled, and its service agent has its roles some minutes after that: a trigger
# made earlier fails with "Permission denied while using the Eventarc Service Agent". Google names no event to wait for.
resource "time_sleep" "services" {
  create_duration = "150s"
  triggers        = { services = join(" ", local.services) }

  depends_on = [google_project_service.this]
}

# Cloud Storage's agent, which announces uploads and uses the encryption key, is made when it is first asked for.
data "google_storage_project_service_account" "this" {
  depends_on = [time_sleep.services]
}

locals {
  # Spelt out, not read from the data source: that is read late when an interface is added, and a member that is unknown
  # until then would be taken away and granted anew.
  storage_agent = "serviceAccount:service-${data.google_project.this.number}@gs-project-accounts.iam.gserviceaccount.com"
}
