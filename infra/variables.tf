# What an operator decides about the deployment, in alphabetical order; only project_id and region have no default.
# What the functions themselves are told stands in settings.tf.

variable "alert_emails" {
  description = "Addresses that alerts are sent to. Empty: no alert policies, since Google bills them and nobody would read them."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for email in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", email))])
    error_message = "alert_emails should hold e-mail addresses, for example [\"ops@example.org\"]."
  }
}

variable "alert_thresholds" {
  description = "When alerts fire: share of failed requests and of memory (0 to 1), drop of the share identified against the weeks before, 95th percentile of latency in seconds, age of the oldest undelivered upload in minutes."
  type = object({
    error_ratio       = optional(number, 0.05)
    identified_drop   = optional(number, 0.1)
    latency_seconds   = optional(number, 5)
    memory_share      = optional(number, 0.9)
    retry_age_minutes = optional(number, 30)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for share in [var.alert_thresholds.error_ratio, var.alert_thresholds.identified_drop, var.alert_thresholds.memory_share] : share > 0 && share < 1])
    error_message = "error_ratio, identified_drop and memory_share in alert_thresholds should lie between 0 and 1, for example 0.05."
  }
  validation {
    condition     = var.alert_thresholds.latency_seconds > 0
    error_message = "latency_seconds in alert_thresholds should be above 0."
  }
  validation {
    condition     = var.alert_thresholds.retry_age_minutes >= 10 && var.alert_thresholds.retry_age_minutes < 1440
    error_message = "retry_age_minutes in alert_thresholds should be from 10 to 1439: retries wait up to 10 minutes, and an event is dropped after 24 hours."
  }
}

variable "allow_unauthenticated" {
  description = "true opens the HTTPS endpoint to everyone on the internet, at your expense. false: only `invokers` may call."
  type        = bool
  default     = false
  nullable    = false
}

variable "archive_photos" {
  description = "true keeps every photo sent over HTTPS, with its result beside it, in a bucket of its own: for traceability and retraining. Tell your users."
  type        = bool
  default     = false
  nullable    = false
}

variable "backfill_tag" {
  description = "What the containers that `reconciliation` and `dataflow` run are called by; `make backfill-image` builds them and writes this into backfill.auto.tfvars. null: not built yet."
  type        = string
  default     = null

  validation {
    condition     = var.backfill_tag == null || can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.backfill_tag))
    error_message = "backfill_tag should be the tag of a container, as make backfill-image writes it."
  }
}

variable "binary_authorization" {
  description = "true deploys the functions' containers under the project's Binary Authorization policy."
  type        = bool
  default     = false
  nullable    = false
}

variable "bucket_location" {
  description = "Where the buckets and the BigQuery dataset lie: a region, or the multi-region us or eu. null: `region`."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_location == null || can(regex("^([a-z]+-[a-z]+[0-9]+|us|eu)$", var.bucket_location))
    error_message = "bucket_location should be a region such as europe-west1, or us or eu: BigQuery reads buckets in no other kind of location."
  }
}

variable "budget" {
  description = "A monthly budget in whole units of the billing account's currency, with warnings at 50, 90 and 100 %. It warns and stops nothing. null: none."
  type = object({
    billing_account = string
    monthly_amount  = number
  })
  default = null

  validation {
    condition     = var.budget == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "billing_account in budget should look like 012345-6789AB-CDEF01 (see: gcloud billing accounts list)."
  }
  validation {
    condition     = var.budget == null || try(var.budget.monthly_amount >= 1 && floor(var.budget.monthly_amount) == var.budget.monthly_amount, false)
    error_message = "monthly_amount in budget should be a whole number from 1."
  }
}

variable "dataflow" {
  description = "true makes what function/backfill needs on Dataflow, for buckets that one machine is too slow for: an account, a bucket for temporary files, a private network."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.dataflow || var.backfill_tag != null
    error_message = "dataflow needs backfill_tag. Build its container first: make backfill-image PROJECT=… REGION=…"
  }
}

variable "delete_images_on_destroy" {
  description = "true lets `terraform destroy` delete all images, results, archived photos and streamed documents. It has to be applied before the destroy. false: destroy stops at a bucket that is not empty."
  type        = bool
  default     = false
  nullable    = false
}

variable "edge" {
  description = "A load balancer with a certificate for `domain` in front of the HTTPS function, and a limit of requests a minute for each address. iap: people log in, and `invokers` may. null: none."
  type = object({
    domain              = string
    requests_per_minute = optional(number, 60)
    iap                 = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.edge == null || can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.edge.domain))
    error_message = "domain in edge should be a domain name such as flowers.example.org."
  }
  validation {
    condition     = var.edge == null || try(var.edge.requests_per_minute >= 1 && var.edge.requests_per_minute <= 10000, false)
    error_message = "requests_per_minute in edge should be from 1 to 10000."
  }
}

# The defaults are what `make capacity` recommends for its usual numbers. `upload` checks both sizes.
variable "http" {
  description = "Size of the HTTPS function: memory, cpus, requests that an instance takes at once, seconds a request may take, instances, and who reaches it over the network."
  type = object({
    memory          = optional(string, "2Gi")
    cpu             = optional(number, 1)
    concurrency     = optional(number, 8)
    timeout_seconds = optional(number, 90)
    min_instances   = optional(number, 0)
    max_instances   = optional(number, 6)
    ingress         = optional(string, "ALLOW_ALL")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.http.timeout_seconds >= 1 && var.http.timeout_seconds <= 3600
    error_message = "timeout_seconds in http should be from 1 to 3600."
  }
  validation {
    condition     = contains(["ALLOW_ALL", "ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"], var.http.ingress)
    error_message = "ingress in http should be ALLOW_ALL, ALLOW_INTERNAL_ONLY or ALLOW_INTERNAL_AND_GCLB."
  }
}

variable "image_retention_days" {
  description = "Days after which images, results, archived photos and streamed documents are deleted. null: kept for good."
  type        = number
  default     = null

  validation {
    condition     = var.image_retention_days == null || try(var.image_retention_days >= 1, false)
    error_message = "image_retention_days should be from 1, or null to keep images for good."
  }
}

variable "invokers" {
  description = "Who may call the private HTTPS endpoint, for example [\"user:ana@example.org\", \"serviceAccount:app@project.iam.gserviceaccount.com\"]."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for member in var.invokers : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):.+$", member))])
    error_message = "invokers should hold user:, group:, serviceAccount:, domain:, principal: or principalSet: members. To let everyone in, set allow_unauthenticated."
  }
}

variable "kms_key" {
  description = "A Cloud KMS key of yours that encrypts all buckets, topics and the streamed table (projects/…/locations/…/keyRings/…/cryptoKeys/…), in the buckets' location. null: Google's keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key should be projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY."
  }
  validation {
    # Cloud KMS calls the multi-region "eu" of Cloud Storage "europe".
    condition     = var.kms_key == null || try(split("/", var.kms_key)[3] == replace(coalesce(var.bucket_location, var.region), "/^eu$/", "europe"), false)
    error_message = "kms_key should lie where the buckets do: in bucket_location, or else in region (for buckets in eu: in europe)."
  }
}

variable "name" {
  description = "Begins the name of everything here; another name makes a second environment in the same project."
  type        = string
  default     = "flowers"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.name))
    error_message = "name should be 2 to 16 lower-case letters, digits and hyphens, beginning with a letter: a service account's name has room for no more."
  }
}

variable "pipeline" {
  description = "Makes the accounts of a pipeline. cloud_build: a connected repository (projects/…/locations/…/connections/…/repositories/…), for triggers in Cloud Build. github: OWNER/REPOSITORY, for GitHub Actions. state_bucket: where the state is, if not in PROJECT-terraform-state. environment: ENV of its make plan. null: no pipeline."
  type = object({
    cloud_build  = optional(string)
    environment  = optional(string, "")
    github       = optional(string)
    state_bucket = optional(string)
  })
  default = null

  validation {
    condition     = can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", coalesce(try(var.pipeline.cloud_build, null), "projects/p/locations/l/connections/c/repositories/r")))
    error_message = "cloud_build in pipeline should be projects/PROJECT/locations/REGION/connections/CONNECTION/repositories/REPOSITORY (see: gcloud builds repositories list)."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", coalesce(try(var.pipeline.github, null), "owner/repository")))
    error_message = "github in pipeline should be OWNER/REPOSITORY."
  }
}

variable "project_id" {
  description = "The Google Cloud project, by its ID."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id should be the project's ID, 6 to 30 lower-case letters, digits and hyphens; not its name or number."
  }
}

variable "reconciliation" {
  description = "Runs function/backfill over the images bucket by a schedule (cron, in time_zone), for what events lost: cpus, memory, and the hours that it may take. null: never."
  type = object({
    schedule      = optional(string, "0 3 * * *")
    time_zone     = optional(string, "Etc/UTC")
    cpu           = optional(number, 2)
    memory        = optional(string, "4Gi")
    timeout_hours = optional(number, 24)
  })
  default = null

  validation {
    condition     = var.reconciliation == null || var.backfill_tag != null
    error_message = "reconciliation needs backfill_tag. Build its container first: make backfill-image PROJECT=… REGION=…"
  }
  validation {
    condition     = var.reconciliation == null || can(regex("^\\S+( \\S+){4}$", var.reconciliation.schedule))
    error_message = "schedule in reconciliation should have the five fields of cron, for example \"0 3 * * *\" for three o'clock each night."
  }
  validation {
    condition     = var.reconciliation == null || try(contains([1, 2, 4, 6, 8], var.reconciliation.cpu), false)
    error_message = "cpu in reconciliation should be 1, 2, 4, 6 or 8."
  }
  validation {
    condition     = var.reconciliation == null || can(regex("^[1-9][0-9]?Gi$", var.reconciliation.memory))
    error_message = "memory in reconciliation should be whole Gi, for example 4Gi."
  }
  validation {
    condition     = var.reconciliation == null || try(var.reconciliation.timeout_hours >= 1 && var.reconciliation.timeout_hours <= 168, false)
    error_message = "timeout_hours in reconciliation should be from 1 to 168, the most that a job may take."
  }
}

variable "region" {
  description = "The region of the functions, for example europe-west1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region should be a single region such as europe-west1 or us-central1."
  }
}

variable "scan_images" {
  description = "true lets Artifact Registry scan each container for known vulnerabilities; Google bills each one."
  type        = bool
  default     = false
  nullable    = false
}

variable "separate_results" {
  description = "true writes results to a bucket of their own instead of beside the images: for people who may read results and no images."
  type        = bool
  default     = false
  nullable    = false
}

variable "soft_delete_days" {
  description = "Days in which a deleted or overwritten image can be brought back; 0 switches that off."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90)
    error_message = "soft_delete_days should be 0, or from 7 to 90."
  }
}

variable "streaming" {
  description = "true also publishes each document to a Pub/Sub topic, and writes it into a BigQuery table of its own: for rows within seconds, or for more documents than the external table reads in time."
  type        = bool
  default     = false
  nullable    = false
}

# The defaults are what `make capacity` recommends for its usual numbers.
variable "upload" {
  description = "Size of the upload function: memory, cpus, events that an instance takes at once, seconds an event may take, instances."
  type = object({
    memory          = optional(string, "2Gi")
    cpu             = optional(number, 1)
    concurrency     = optional(number, 8)
    timeout_seconds = optional(number, 120)
    min_instances   = optional(number, 0)
    max_instances   = optional(number, 3)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for size in [var.http, var.upload] : can(regex("^(512Mi|[1-9][0-9]?Gi)$", size.memory))])
    error_message = "memory in http and upload should be 512Mi or whole Gi, for example 2Gi."
  }
  validation {
    # https://docs.cloud.google.com/run/docs/configuring/services/cpu
    condition = alltrue([for size in [var.http, var.upload] : try(
      (size.memory == "512Mi" ? 0.5 : tonumber(trimsuffix(size.memory, "Gi"))) >= { 1 = 0.5, 2 = 0.5, 4 = 2, 6 = 4, 8 = 4 }[size.cpu] &&
      (size.memory == "512Mi" ? 0.5 : tonumber(trimsuffix(size.memory, "Gi"))) <= { 1 = 4, 2 = 8, 4 = 16, 6 = 24, 8 = 32 }[size.cpu],
      false
    )])
    error_message = "cpu in http and upload should be 1, 2, 4, 6 or 8 (less takes one request at a time), with memory that Cloud Run gives it: up to 4Gi for 1, up to 8Gi for 2, 2Gi to 16Gi for 4, 4Gi to 24Gi for 6, 4Gi to 32Gi for 8."
  }
  validation {
    condition     = alltrue([for size in [var.http, var.upload] : size.concurrency >= 1 && size.concurrency <= 1000])
    error_message = "concurrency in http and upload should be from 1 to 1000."
  }
  validation {
    condition     = alltrue([for size in [var.http, var.upload] : size.min_instances >= 0 && size.max_instances >= 1 && size.min_instances <= size.max_instances])
    error_message = "min_instances in http and upload should be from 0 and no more than max_instances, which should be from 1."
  }
  validation {
    condition     = var.upload.timeout_seconds >= 120 && var.upload.timeout_seconds <= 540
    error_message = "timeout_seconds in upload should be from 120, which the storage client's own retries need, to 540, the most for an event."
  }
}

variable "upload_cors_origins" {
  description = "Origins of web pages that may upload to the images bucket from a browser, for example [\"https://app.example.org\"]."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for origin in var.upload_cors_origins : can(regex("^https?://[^\\s/,]+$", origin))])
    error_message = "upload_cors_origins should hold origins without a path, for example [\"https://app.example.org\"]."
  }
}

variable "uploaders" {
  description = "Who may upload images and read what lies where results are written (the images too, unless separate_results), as members (see invokers). None of them may overwrite or delete."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for member in var.uploaders : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):.+$", member))])
    error_message = "uploaders should hold user:, group:, serviceAccount:, domain:, principal: or principalSet: members; the bucket is never public."
  }
}

variable "vpc" {
  description = "A network and a subnetwork of yours that the functions reach through direct VPC egress: private addresses, or with all_traffic everything (then with Private Google Access or NAT). null: none."
  type = object({
    network     = string
    subnetwork  = string
    all_traffic = optional(bool, false)
  })
  default = null
}
