# Two accounts: any branch plans, only the approved release branch deploys.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}
mock_provider "archive" {}
mock_provider "random" {}
mock_provider "time" {}

override_resource {
  target          = google_iam_workload_identity_pool.github
  override_during = plan
  values          = { name = "projects/123456789012/locations/global/workloadIdentityPools/flowers-github" }
}

variables {
  project_id = "my-project"
  region     = "europe-west1"
  budget     = { billing_account = "012345-6789AB-CDEF01", monthly_amount = 20 }
  kms_key    = "projects/keys/locations/europe-west1/keyRings/flowers/cryptoKeys/images"
  pipeline   = { cloud_build = "projects/my-project/locations/europe-west1/connections/github/repositories/flowers", github = "ana/flowers" }
}

run "planned_and_deployed_by_two_accounts" {
  command = plan

  assert {
    condition = { for key, trigger in google_cloudbuild_trigger.this : key => "${trigger.repository_event_config[0].push[0].branch} ${trigger.repository_event_config[0].push[0].invert_regex} ${trigger.approval_config[0].approval_required} ${trigger.substitutions["_DEPLOY"]}" } == {
      deploy = "^main$ false true true"
      plan   = "^main$ true false "
    }
    error_message = "Only main should deploy, after an approval; every other branch should plan."
  }
  assert {
    condition     = alltrue([for trigger in google_cloudbuild_trigger.this : trigger.substitutions["_STATE_BUCKET"] == "my-project-terraform-state" && trigger.location == "europe-west1"])
    error_message = "Builds should know the state's bucket, and run where the repository is connected."
  }
  assert {
    condition     = toset([for grant in google_project_iam_member.this : grant.role if grant.member == "serviceAccount:flowers-plan@my-project.iam.gserviceaccount.com"]) == toset(["roles/iam.securityReviewer", "roles/logging.logWriter", "roles/serviceusage.serviceUsageConsumer", "roles/storage.bucketViewer", "roles/viewer"])
    error_message = "Code of any branch should be able to look, and to change nothing."
  }
  assert {
    condition     = { for key, grant in google_storage_bucket_iam_member.plan_reads_state : key => "${grant.bucket} ${grant.role}" } == { source = "my-project-flowers-source roles/storage.objectViewer", state = "my-project-terraform-state roles/storage.objectViewer" }
    error_message = "A plan should be able to read the state, and not to write it."
  }
  assert {
    condition     = length(setintersection([for grant in google_project_iam_member.this : grant.role], ["roles/owner", "roles/editor"])) == 0
    error_message = "No account should have a basic role that changes things."
  }
  assert {
    condition     = google_service_account_iam_member.deploy_makes_identity_tokens[0].role == "roles/iam.serviceAccountOpenIdTokenCreator" && google_service_account_iam_member.deploy_makes_identity_tokens[0].member == "serviceAccount:flowers-deploy@my-project.iam.gserviceaccount.com" && contains(keys(google_project_service.this), "iamcredentials") && google_cloud_run_v2_service_iam_member.callers["deploy"].name == "flowers-http"
    error_message = "The smoke test should get an identity token, and be allowed to call the private endpoint."
  }
  assert {
    condition     = { for key, grant in google_kms_crypto_key_iam_member.pipeline : key => grant.role } == { deploy = "roles/cloudkms.admin", plan = "roles/iam.securityReviewer" } && toset([for grant in google_billing_account_iam_member.pipeline : "${grant.member} ${grant.role}"]) == toset(["serviceAccount:flowers-deploy@my-project.iam.gserviceaccount.com roles/billing.costsManager", "serviceAccount:flowers-deploy@my-project.iam.gserviceaccount.com roles/billing.viewer", "serviceAccount:flowers-plan@my-project.iam.gserviceaccount.com roles/billing.viewer"])
    error_message = "Both should have their roles on the key and on the billing account."
  }
  assert {
    condition     = google_iam_workload_identity_pool_provider.github["github"].attribute_condition == "assertion.sub == 'repo:ana/flowers:environment:production' || assertion.sub == 'repo:ana/flowers:pull_request'"
    error_message = "Tokens of other repositories should be refused."
  }
  assert {
    condition = { for key, grant in google_service_account_iam_member.github : key => grant.member } == {
      deploy = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/flowers-github/subject/repo:ana/flowers:environment:production"
      plan   = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/flowers-github/subject/repo:ana/flowers:pull_request"
    }
    error_message = "Only a job in the environment production should deploy."
  }
}
