# Documents as they are made, if streaming is asked for: both functions publish to a topic, and a subscription writes each
# message into a native BigQuery table. The external tables over the bucket stay (bigquery.tf): they are the default, cost
# nothing and are never behind, but read every document for every query, which very many small files make too slow.

locals {
  streaming = var.streaming ? toset(["results"]) : toset([])

  results_topic         = "${var.name}-results"
  results_subscription  = "${var.name}-results-to-bigquery"
  dead_letters          = "${var.name}-results-dead-letters"
  streamed_documents    = "streamed_documents"
  streamed_documents_id = "${var.project_id}.${google_bigquery_dataset.results.dataset_id}.${local.streamed_documents}"
}

resource "google_pubsub_topic" "this" {
  for_each = var.streaming ? { results = local.results_topic, dead_letters = local.dead_letters } : {}

  name         = each.value
  kms_key_name = var.kms_key

  depends_on = [time_sleep.services, time_sleep.key]
}

# On these topics alone, and nothing but publishing. Pub/Sub's agent forwards what BigQuery does not take.
resource "google_pubsub_topic_iam_member" "publishers" {
  for_each = var.streaming ? merge(
    { pubsub = "dead_letters" },
    { for account in concat(["http", "upload"], tolist(local.backfills)) : account => "results" },
  ) : {}

  topic  = google_pubsub_topic.this[each.value].name
  role   = "roles/pubsub.publisher"
  member = each.key == "pubsub" ? local.agent.pubsub : local.member[each.key]
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

  depends_on = [time_sleep.key]
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
      # A photo sent over HTTPS has no address. Its document may still have been published twice.
      image        = "COALESCE(image.uri, CONCAT(image.sha256, ' ', CAST(classified_at AS STRING)))"
      document_uri = "IF(STARTS_WITH(image.uri, 'gs://${local.images_bucket}/'), CONCAT(REPLACE(image.uri, 'gs://${local.images_bucket}/', 'gs://${local.results_bucket}/'), '${var.result_suffix}'), NULL)"
    })
  }

  depends_on = [google_bigquery_table.streamed_documents]
}

# Pub/Sub's agent writes; workers on Dataflow may (--bigquery). The scheduled job has no Java, which Beam's writer takes.
resource "google_bigquery_table_iam_member" "writers" {
  for_each = var.streaming ? merge({ pubsub = local.agent.pubsub }, var.dataflow ? { dataflow = local.member.dataflow } : {}) : {}

  dataset_id = google_bigquery_dataset.results.dataset_id
  table_id   = google_bigquery_table.streamed_documents["results"].table_id
  role       = "roles/bigquery.dataEditor"
  member     = each.value

  depends_on = [google_project_iam_member.agents]
}

# --- The subscription, and what becomes of messages that BigQuery does not take.

# The fields of a message go into the columns of the same names, nested and repeated records too: so does a survey of the sky,
# with larger documents (https://github.com/mwvgroup/Pitt-Google-Broker, broker/setup_broker/lsst). Texts become timestamps:
# https://cloud.google.com/pubsub/docs/bigquery#use-table-schema
resource "google_pubsub_subscription" "results" {
  for_each = local.streaming

  name  = local.results_subscription
  topic = google_pubsub_topic.this["results"].id

  bigquery_config {
    table               = "${var.project_id}.${google_bigquery_dataset.results.dataset_id}.${google_bigquery_table.streamed_documents["results"].table_id}"
    use_table_schema    = true
    drop_unknown_fields = true # a newer function may say more than the table knows
  }

  # Some two and a half hours of trying: an outage of BigQuery also counts against a message.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.this["dead_letters"].id
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

# Without it, what is published to the topic of dead letters is gone.
resource "google_pubsub_subscription" "dead_letters" {
  for_each = local.streaming

  name                       = local.dead_letters
  topic                      = google_pubsub_topic.this["dead_letters"].id
  message_retention_duration = "2678400s" # 31 days, the most

  expiration_policy {
    ttl = ""
  }
}

# It acknowledges what it forwards. https://cloud.google.com/pubsub/docs/create-bigquery-subscription
resource "google_pubsub_subscription_iam_member" "pubsub_takes_dead_letters" {
  for_each = local.streaming

  subscription = google_pubsub_subscription.results["results"].name
  role         = "roles/pubsub.subscriber"
  member       = local.agent.pubsub
}

resource "time_sleep" "streaming_grants" {
  for_each = local.streaming

  create_duration = "420s" # a subscription whose agent may not write yet is refused
  triggers        = { writers = join(" ", keys(google_bigquery_table_iam_member.writers)) }

  depends_on = [google_bigquery_table_iam_member.writers, google_pubsub_topic_iam_member.publishers]
}
