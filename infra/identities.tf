# Who may do what: a service account for each role, and the least that it works with. Every grant is additive: what others
# granted on the same resources stays.

locals {
  accounts = merge(
    {
      build   = "Builds the containers of ${var.name}"
      http    = "Runs the HTTPS function of ${var.name}"
      trigger = "Delivers upload events of ${var.name}"
      upload  = "Runs the upload function of ${var.name}"
    },
    var.dataflow ? { dataflow = "Runs the backfill of ${var.name} on Dataflow" } : {},
    var.reconciliation == null ? {} : {
      reconcile = "Runs the reconciliation of ${var.name}"
      scheduler = "Starts the reconciliation of ${var.name}, and may do nothing else"
    },
    var.pipeline == null ? {} : {
      deploy = "Deploys ${var.name} from the release branch"
      plan   = "Plans ${var.name} from any branch: reads, and changes nothing"
    },
  )

  # By the accounts' own names, so that a plan names them before they exist.
  email  = { for key, account in google_service_account.this : key => "${account.account_id}@${var.project_id}.iam.gserviceaccount.com" }
  member = { for key, email in local.email : key => "serviceAccount:${email}" }

  backfills    = setintersection(["dataflow", "reconcile"], keys(local.accounts))
  model_bucket = try(regex("^gs://([^/]+)/", var.model_path)[0], null)
}

resource "google_service_account" "this" {
  for_each = local.accounts

  account_id   = "${var.name}-${each.key}"
  display_name = each.value

  depends_on = [time_sleep.services]
}

# --- Buckets.

# A deleted role keeps its ID for 37 days, in which a second deployment would fail:
# https://docs.cloud.google.com/iam/docs/creating-custom-roles#deleting-custom-role
resource "random_id" "role" {
  byte_length = 3
}

# No predefined role holds these two alone. Replacing an object is deleting the old one, to Cloud Storage.
resource "google_project_iam_custom_role" "result_writer" {
  role_id     = "${replace(var.name, "-", "_")}_result_writer_${random_id.role.hex}"
  title       = "Result writer of ${var.name}"
  description = "Creates and replaces objects; reads none"
  permissions = ["storage.objects.create", "storage.objects.delete"]

  depends_on = [time_sleep.services]
}

locals {
  bucket_roles = {
    adds = "roles/storage.objectCreator"
    # With storage.objects.list: without it Cloud Storage answers 403 for an object that is gone, not 404, and the function
    # could not tell "deleted meanwhile" (acknowledge) from "not allowed" (retry).
    reads  = "roles/storage.objectViewer"
    writes = google_project_iam_custom_role.result_writer.name
    keeps  = "roles/storage.objectAdmin"
  }

  # Account or member, what it does, bucket. "writes" is held to results by the condition below.
  bucket_grants = { for grant in distinct(concat(
    [for account in concat(["upload"], tolist(local.backfills)) : [account, "reads", local.images_bucket]],
    [for account in concat(["upload"], tolist(local.backfills)) : [account, "reads", local.results_bucket]],
    [for account in concat(["upload"], tolist(local.backfills)) : [account, "writes", local.results_bucket]],
    [for bucket in var.allowed_buckets : ["http", "reads", bucket]],
    # Looks before it writes, adds photos and overwrites none, creates and replaces the results and corrections beside them.
    [for does in ["adds", "reads", "writes"] : ["http", does, local.archive_bucket] if var.archive_photos],
    [for account in concat(["http", "upload"], tolist(local.backfills)) : [account, "reads", local.model_bucket] if local.model_bucket != null],
    [for bucket in google_storage_bucket.dataflow : ["dataflow", "keeps", bucket.name]], # temporary files
    [for member in var.uploaders : [member, "adds", local.images_bucket]],
    [for member in var.uploaders : [member, "reads", local.results_bucket]],
  )) : join(" ", grant) => { who = grant[0], does = grant[1], bucket = grant[2] } }
}

# The condition keeps a function from ever touching an image. What it cannot hold:
# - It goes by the name. An upload that is itself called "….json" is within the function's reach; only the code, which
#   replaces nothing but objects that bear its own metadata, protects it.
# - storage.objects.list is a permission on the bucket, which no condition on object names narrows.
# - It bounds this account. Whoever may deploy the function may give it another one.
resource "google_storage_bucket_iam_member" "this" {
  for_each = local.bucket_grants

  bucket = each.value.bucket
  role   = local.bucket_roles[each.value.does]
  member = lookup(local.member, each.value.who, each.value.who)

  dynamic "condition" {
    for_each = each.value.does == "writes" ? [var.result_suffix] : []
    content {
      title       = "results only"
      description = "Objects whose name ends in ${condition.value}"
      expression  = "resource.name.endsWith(\"${condition.value}\")"
    }
  }

  depends_on = [google_storage_bucket.data] # one of `allowed_buckets` may be among them
}

# --- The project.

locals {
  project_grants = { for grant in concat(
    [["build", "logging.logWriter"], ["trigger", "eventarc.eventReceiver"]],
    var.dataflow ? [["dataflow", "dataflow.worker"]] : [], # leases work and reports on it; it is granted on projects only
    [for role in local.plan_roles : ["plan", role]],
    [for role in local.deploy_roles : ["deploy", role]],
  ) : join(" ", grant) => { account = grant[0], role = grant[1] } }
}

resource "google_project_iam_member" "this" {
  for_each = local.project_grants

  project = var.project_id
  role    = "roles/${each.value.role}"
  member  = local.member[each.value.account]
}

# A build runs code from package registries: it reads sources and no image. Cloud Functions copies the archive into a
# bucket of its own, which exists only after the first deployment, so that the grant stands on the project and names it.
resource "google_project_iam_member" "build_reads_sources" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = local.member.build

  condition {
    title       = "function sources only"
    description = "The buckets that Cloud Functions copies sources to, and this deployment's own"
    expression = join(" || ", [
      "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-${var.region}\")",
      "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.source.name}\")",
    ])
  }
}

# --- The containers' repository.

resource "google_artifact_registry_repository_iam_member" "this" {
  for_each = merge({ build = "writer" }, var.dataflow ? { dataflow = "reader" } : {})

  repository = google_artifact_registry_repository.functions.name
  location   = var.region
  role       = "roles/artifactregistry.${each.value}"
  member     = local.member[each.key]
}

# --- Callers. On the Run services: a function of the 2nd generation is called as one, and a grant on the function opens nothing.

resource "google_cloud_run_v2_service_iam_member" "callers" {
  for_each = merge(
    { trigger = { function = "upload", member = local.member.trigger } },
    { for member in var.allow_unauthenticated ? ["allUsers"] : var.invokers : member => { function = "http", member = member } },
    var.pipeline == null ? {} : { deploy = { function = "http", member = local.member.deploy } }, # the smoke test
    try(var.edge.iap, false) ? { iap = { function = "http", member = local.agent.iap } } : {},
  )

  name     = google_cloudfunctions2_function.this[each.value.function].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value.member
}

# --- The wait. A function that is deployed before its grants work fails, and so does a bucket with a key. A change takes
# 2 minutes, "potentially 7 minutes or longer": https://docs.cloud.google.com/iam/docs/access-change-propagation

resource "time_sleep" "grants" {
  create_duration = "420s"
  # What is granted later is waited for as well.
  triggers = { grants = join(", ", concat(keys(local.bucket_grants), keys(local.project_grants), var.streaming ? ["streaming"] : [])) }

  depends_on = [
    google_artifact_registry_repository_iam_member.this,
    google_project_iam_member.agents,
    google_project_iam_member.build_reads_sources,
    google_project_iam_member.this,
    google_pubsub_topic_iam_member.publishers,
    google_storage_bucket_iam_member.this,
  ]
}

resource "time_sleep" "key" {
  count = var.kms_key == null ? 0 : 1

  create_duration = "420s"
  triggers        = { agents = join(" ", keys(google_kms_crypto_key_iam_member.agents)) }

  depends_on = [google_kms_crypto_key_iam_member.agents]
}
