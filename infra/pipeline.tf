# Who plans and who deploys, if a pipeline is asked for. Code of any branch runs as the account `plan`, which changes nothing.
# Only the release branch, after an approval, runs as `deploy`. Neither rule lies in a file that a branch can change: the
# triggers below hold them, or GitHub's environment does.

locals {
  state_bucket = var.pipeline == null ? null : coalesce(var.pipeline.state_bucket, "${var.project_id}-terraform-state")

  # A pull request's job plans; a job in the environment `production`, which GitHub holds until someone approves, deploys.
  github_subjects = try(var.pipeline.github, null) == null ? {} : {
    deploy = "repo:${var.pipeline.github}:environment:production"
    plan   = "repo:${var.pipeline.github}:pull_request"
  }

  plan_roles = var.pipeline == null ? [] : [
    "iam.securityReviewer",
    "logging.logWriter",
    "serviceusage.serviceUsageConsumer",
    "storage.bucketViewer",
    "viewer",
  ]
  deploy_roles = var.pipeline == null ? [] : [
    "artifactregistry.admin",
    "bigquery.dataOwner",
    "cloudbuild.builds.editor",
    "cloudbuild.connectionViewer",
    "cloudfunctions.admin",
    "cloudscheduler.admin",
    "compute.loadBalancerAdmin",
    "compute.networkAdmin",
    "compute.securityAdmin",
    "eventarc.admin",
    "iam.roleAdmin",
    "iam.serviceAccountAdmin",
    "iam.serviceAccountUser",
    "iam.workloadIdentityPoolAdmin",
    "iap.admin",
    "logging.configWriter",
    "logging.logWriter",
    "monitoring.admin",
    "pubsub.admin",
    "resourcemanager.projectIamAdmin",
    "run.admin",
    "serviceusage.serviceUsageAdmin",
    "storage.admin",
  ]
}

# --- What no role on the project gives.

resource "google_storage_bucket_iam_member" "plan_reads_state" {
  for_each = var.pipeline == null ? {} : { state = local.state_bucket, source = google_storage_bucket.source.name }

  bucket = each.value
  role   = "roles/storage.objectViewer"
  member = local.member.plan
}

# The smoke test calls the private endpoint. Cloud Build's metadata server gives out identity tokens only to an account that
# may make its own: https://docs.cloud.google.com/build/docs/securing-builds/authorize-service-to-service-access
resource "google_service_account_iam_member" "deploy_makes_identity_tokens" {
  count = var.pipeline == null ? 0 : 1

  service_account_id = google_service_account.this["deploy"].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.member.deploy
}

resource "google_kms_crypto_key_iam_member" "pipeline" {
  for_each = var.pipeline == null || var.kms_key == null ? {} : { deploy = "roles/cloudkms.admin", plan = "roles/iam.securityReviewer" }

  crypto_key_id = var.kms_key
  role          = each.value
  member        = local.member[each.key]
}

resource "google_billing_account_iam_member" "pipeline" {
  for_each = var.pipeline == null || var.budget == null ? [] : toset(["deploy costsManager", "deploy viewer", "plan viewer"])

  billing_account_id = var.budget.billing_account
  role               = "roles/billing.${split(" ", each.value)[1]}"
  member             = local.member[split(" ", each.value)[0]]
}

# --- Cloud Build: a trigger for each account. The repository is connected once, by hand (README.md).

resource "google_cloudbuild_trigger" "this" {
  for_each = toset(try(var.pipeline.cloud_build, null) == null ? [] : ["deploy", "plan"])

  name            = "${var.name}-${each.key}"
  location        = split("/", var.pipeline.cloud_build)[3]
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.this[each.key].id

  substitutions = {
    _BACKFILL     = var.dataflow || var.reconciliation != null ? "true" : ""
    _DEPLOY       = each.key == "deploy" ? "true" : ""
    _ENV          = var.pipeline.environment
    _NAME         = var.name
    _REGION       = var.region
    _STATE_BUCKET = local.state_bucket
  }

  repository_event_config {
    repository = var.pipeline.cloud_build
    push {
      branch       = "^main$"
      invert_regex = each.key == "plan"
    }
  }

  approval_config {
    approval_required = each.key == "deploy"
  }

  depends_on = [time_sleep.grants]
}

# --- GitHub Actions (.github/workflows/deploy.yml): no key, but tokens that GitHub signs for this repository alone.

resource "google_iam_workload_identity_pool" "github" {
  for_each = toset(try(var.pipeline.github, null) == null ? [] : ["github"])

  workload_identity_pool_id = "${var.name}-github-${random_id.role.hex}" # a deleted pool keeps its ID for 30 days

  depends_on = [time_sleep.services]
}

resource "google_iam_workload_identity_pool_provider" "github" {
  for_each = google_iam_workload_identity_pool.github

  workload_identity_pool_id          = each.value.workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  attribute_mapping                  = { "google.subject" = "assertion.sub" }
  attribute_condition                = join(" || ", [for subject in local.github_subjects : "assertion.sub == '${subject}'"])

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account_iam_member" "github" {
  for_each = local.github_subjects

  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.github["github"].name}/subject/${each.value}"
}
