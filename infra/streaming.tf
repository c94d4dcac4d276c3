# Documents as they are made, where streaming is asked for: both functions publish to a topic, and a subscription writes each
# message into a native BigQuery table. The external tables over the bucket stay (bigquery.tf): they are the default, cost
# nothing and are never behind, but read every document for every query, which very many small files make too slow.

locals {
  streaming = var.streaming ? toset(["results"]) : toset([])

  results_topic         = "${var.name}-results"
  results_subscription  = "${var.name}-results-to-bigquery"
  dead_letters          = "${var.name}-results-dead-letters"
  streamed_documents    = "streamed_documents"
  streamed_documents_id = "${var.project_id}.${google_bigquery_dataset.results.dataset_id}.${local.streamed_documents}"

  # Spelt out, as Cloud Storage's agent is (services.tf).
  pubsub_agent            = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  bigquery_encryption     = "serviceAccount:bq-${data.google_project.this.number}@bigquery-encryption.iam.gserviceaccount.com"
  streaming_uses_key      = var.streaming && var.kms_key != null
  streaming_agents_of_key = local.streaming_uses_key ? { bigquery = local.bigquery_encryption, pubsub = local.pubsub_agent } : {}
}

resource "google_pubsub_topic" "results" {
  for_each = local.streaming

  name         = local.results_topic
  kms_key_name = var.kms_key

  depends_on = [time_sleep.services, time_sleep.streaming_key_grants]
}

# On this topic alone, and nothing but publishing.
resource "google_pubsub_topic_iam_member" "functions_publish" {
  for_each = var.streaming ? {
    http   = google_service_account.http.member
    upload = google_service_account.upload.member
  } : {}

  topic  = google_pubsub_topic.results["results"].name
  role   = "roles/pubsub.publisher"
  member = each.value
}

# --- The table that is written to, and the view without duplicates.

resource "google_bigquery_table" "streamed_documents" {
  for_each = local.streaming

  dataset_id  = google_bigquery_dataset.results.dataset_id
  table_id    = local.streamed_documents
  description = "Result and error documents of both functions as they are made, at least once each"
  # Rows of photos sent over HTTPS are nowhere else.
  deletion_protection = !var.delete_images_on_destroy
  schema              = jsonencode(jsondecode(file("${path.module}/result_schema.json")))

  time_partitioning {
    type          = "DAY"
    field         = "classified_at"
    expiration_ms = var.image_retention_days == null ? null : var.image_retention_days * 86400000
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_key[*]
    content {
      kms_key_name = encryption_configuration.value
    }
  }

  depends_on = [time_sleep.streaming_key_grants]
}

resource "google_bigquery_table" "streamed_classifications" {
  for_each = local.streaming

  dataset_id          = google_bigquery_dataset.results.dataset_id
  table_id            = "streamed_classifications"
  description         = "One row an image, with its first prediction or the error: the newest of what was streamed"
  deletion_protection = false

  view {
    use_legacy_sql = false
    query = templatefile("${path.module}/classifications.sql", {
      documents = local.streamed_documents_id
      image_uri = "image.uri"
      # A photo that was sent along has no address. Its document may still have been published twice.
      image        = "COALESCE(image.uri, CONCAT(image.sha256, ' ', CAST(classified_at AS STRING)))"
      document_uri = "IF(STARTS_WITH(image.uri, 'gs://${local.images_bucket}/'), CONCAT(REPLACE(image.uri, 'gs://${local.images_bucket}/', 'gs://${local.results_bucket}/'), '${var.result_suffix}'), NULL)"
    })
  }

  depends_on = [google_bigquery_table.streamed_documents]
}

# --- The subscription, and what becomes of messages that BigQuery does not take.

# The fields of a message go into the columns of the same names, nested and repeated records too: so does a survey of the sky,
# with larger documents (https://github.com/mwvgroup/Pitt-Google-Broker, broker/setup_broker/lsst). Texts become timestamps:
# https://cloud.google.com/pubsub/docs/bigquery#use-table-schema
resource "google_pubsub_subscription" "results" {
  for_each = local.streaming

  name  = local.results_subscription
  topic = google_pubsub_topic.results["results"].id

  bigquery_config {
    table               = "${var.project_id}.${google_bigquery_dataset.results.dataset_id}.${google_bigquery_table.streamed_documents["results"].table_id}"
    use_table_schema    = true
    drop_unknown_fields = true # a newer function may say more than the table knows
  }

  # Some two and a half hours of trying: an outage of BigQuery also counts against a message.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters["results"].id
    max_delivery_attempts = 20
  }
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  expiration_policy {
    ttl = "" # a garden without photos in winter is no reason to vanish
  }

  depends_on = [time_sleep.streaming_grants]
}

resource "google_pubsub_topic" "dead_letters" {
  for_each = local.streaming

  name         = local.dead_letters
  kms_key_name = var.kms_key

  depends_on = [time_sleep.services, time_sleep.streaming_key_grants]
}

# Without it, what is published to the topic is gone.
resource "google_pubsub_subscription" "dead_letters" {
  for_each = local.streaming

  name                       = local.dead_letters
  topic                      = google_pubsub_topic.dead_letters["results"].id
  message_retention_duration = "2678400s" # 31 days, the most

  expiration_policy {
    ttl = ""
  }
}

# --- What Pub/Sub does on our behalf. https://cloud.google.com/pubsub/docs/create-bigquery-subscription

resource "google_bigquery_table_iam_member" "pubsub_writes_documents" {
  for_each = local.streaming

  dataset_id = google_bigquery_dataset.results.dataset_id
  table_id   = google_bigquery_table.streamed_documents["results"].table_id
  role       = "roles/bigquery.dataEditor"
  member     = local.pubsub_agent

  depends_on = [google_pubsub_topic.results] # the agent is there by the first topic at the latest
}

resource "google_pubsub_topic_iam_member" "pubsub_publishes_dead_letters" {
  for_each = local.streaming

  topic  = google_pubsub_topic.dead_letters["results"].name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

# It acknowledges what it forwards.
resource "google_pubsub_subscription_iam_member" "pubsub_takes_dead_letters" {
  for_each = local.streaming

  subscription = google_pubsub_subscription.results["results"].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

resource "time_sleep" "streaming_grants" {
  for_each = local.streaming

  create_duration = "90s" # a subscription whose agent may not write yet is refused

  depends_on = [
    google_bigquery_table_iam_member.pubsub_writes_documents,
    google_pubsub_topic_iam_member.pubsub_publishes_dead_letters,
  ]
}

# --- The encryption key, where it is the operator's own.

# BigQuery's agent for keys is made when it is first asked for.
data "google_bigquery_default_service_account" "this" {
  for_each = local.streaming_uses_key ? local.streaming : toset([])

  depends_on = [time_sleep.services]
}

resource "google_kms_crypto_key_iam_member" "streaming_agents" {
  for_each = local.streaming_agents_of_key

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value

  depends_on = [data.google_bigquery_default_service_account.this]
}

resource "time_sleep" "streaming_key_grants" {
  for_each = local.streaming_uses_key ? local.streaming : toset([])

  create_duration = "60s"

  depends_on = [google_kms_crypto_key_iam_member.streaming_agents]
}
