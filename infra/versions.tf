# State lives in a bucket, so that a laptop and a pipeline share it and its lock. The bucket is made once, by hand,
# because Terraform cannot keep its state in what it has yet to create:
#
#   gcloud storage buckets create gs://PROJECT-terraform-state --location=REGION \
#     --uniform-bucket-level-access --public-access-prevention
#   gcloud storage buckets update gs://PROJECT-terraform-state --versioning
#   terraform init -backend-config=bucket=PROJECT-terraform-state
#
# A second environment takes another bucket, or -backend-config=prefix=NAME.
# Its first use of a project needs two interfaces that Terraform itself works through:
#
#   gcloud services enable cloudresourcemanager.googleapis.com serviceusage.googleapis.com

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.8"
    }
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.14"
    }
  }

  backend "gcs" {
    prefix = "flowers"
  }
}

provider "google" {
  project = var.project_id
  region  = var.region

  # Quota is counted against this project whoever applies; the budget interface refuses a user's own credentials otherwise.
  user_project_override = true
  billing_project       = var.project_id

  default_labels = { application = var.name }
}
