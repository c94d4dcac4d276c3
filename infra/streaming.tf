# Documents as they are made, where streaming is asked for: both functions publish to a topic.

locals {
  streaming = var.streaming ? toset(["results"]) : toset([])
}

resource "google_pubsub_topic" "results" {
  for_each = local.streaming

  name = "${var.name}-results"

  depends_on = [time_sleep.services]
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
