# The APIs that everything else needs, and what Google's own agents may do.

data "google_project" "this" {
  project_id = var.project_id
}

locals {
  services = concat(
    [
      "artifactregistry",
      "bigquery",
      "cloudbuild",
      "cloudfunctions",
      "eventarc",
      "iam",
      "logging",
      "monitoring",
      "pubsub",
      "run",
      "storage",
    ],
    var.binary_authorization ? ["binaryauthorization"] : [],
    var.budget == null ? [] : ["billingbudgets"],
    var.dataflow ? ["dataflow"] : [],
    var.dataflow || var.edge != null || var.vpc != null ? ["compute"] : [],
    try(var.edge.iap, false) ? ["iap"] : [],
    var.kms_key == null ? [] : ["cloudkms"],
    var.pipeline == null ? [] : ["iamcredentials", "sts"],
    var.reconciliation == null ? [] : ["cloudscheduler"],
    var.scan_images ? ["containerscanning"] : [],
  )

  # Google's agents: `make bootstrap` has those of Eventarc and Pub/Sub made, which nothing else does before they are needed.
  agent = {
    bigquery = "serviceAccount:bq-${data.google_project.this.number}@bigquery-encryption.iam.gserviceaccount.com"
    eventarc = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-eventarc.iam.gserviceaccount.com"
    iap      = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-iap.iam.gserviceaccount.com"
    pubsub   = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    storage  = "serviceAccount:service-${data.google_project.this.number}@gs-project-accounts.iam.gserviceaccount.com"
  }
}

resource "google_project_service" "this" {
  for_each = toset(local.services)

  service = "${each.value}.googleapis.com"
  # Others in the project may use them too.
  disable_on_destroy = false
}

# An API answers some time after it was enabled.
resource "time_sleep" "services" {
  create_duration = "60s"
  triggers        = { services = join(" ", local.services) }

  depends_on = [google_project_service.this]
}

# Cloud Storage's agent, which announces uploads and uses the encryption key, is made when it is first asked for.
data "google_storage_project_service_account" "this" {
  depends_on = [time_sleep.services]
}

# A trigger fails if Eventarc's agent lacks its role, and waiting does not bring it:
# https://github.com/hashicorp/terraform-provider-google/issues/25294
resource "google_project_iam_member" "agents" {
  for_each = {
    eventarc = "roles/eventarc.serviceAgent"
    pubsub   = "roles/pubsub.serviceAgent"
    storage  = "roles/pubsub.publisher" # Cloud Storage publishes what Eventarc delivers
  }

  project = var.project_id
  role    = each.value
  member  = local.agent[each.key]

  depends_on = [data.google_storage_project_service_account.this]
}

# --- The encryption key, if it is the operator's own: the agents use it on everyone's behalf.

data "google_bigquery_default_service_account" "this" {
  count = var.kms_key != null && var.streaming ? 1 : 0

  depends_on = [time_sleep.services]
}

resource "google_kms_crypto_key_iam_member" "agents" {
  for_each = var.kms_key == null ? [] : toset(concat(["storage"], var.streaming ? ["bigquery", "pubsub"] : []))

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = local.agent[each.key]

  depends_on = [data.google_storage_project_service_account.this, data.google_bigquery_default_service_account.this]
}
