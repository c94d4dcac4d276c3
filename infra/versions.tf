# State lives in a bucket that `make bootstrap` makes, so that a laptop and a pipeline share it and its lock.
# `make plan` names the bucket, and a prefix for each environment.

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
    random = {
      source  = "hashicorp/random"
      version = "~> 3.9"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.14"
    }
  }

  backend "gcs" {}
}

provider "google" {
  project = var.project_id
  region  = var.region

  # Quota is counted against this project whoever applies; the budget API refuses a user's own credentials otherwise.
  user_project_override = true
  billing_project       = var.project_id

  default_labels = { application = var.name }
}
