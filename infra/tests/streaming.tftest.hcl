# Documents streamed into BigQuery, where asked for.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}
mock_provider "archive" {}
mock_provider "random" {}
mock_provider "time" {}

override_resource {
  target          = google_project_iam_custom_role.result_writer
  override_during = plan
  values          = { name = "projects/my-project/roles/flowers_result_writer" }
}

override_resource {
  target          = google_pubsub_topic.this
  override_during = plan
  values          = { id = "projects/my-project/topics/one-of-two" }
}

variables {
  project_id = "my-project"
  region     = "europe-west1"
}

run "streamed_under_an_own_key" {
  command = plan

  variables {
    streaming                = true
    kms_key                  = "projects/my-project/locations/europe-west1/keyRings/flowers/cryptoKeys/images"
    image_retention_days     = 30
    delete_images_on_destroy = true
    alert_emails             = ["ops@example.org"]
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.this :
      function.service_config[0].environment_variables["RESULT_TOPIC"] == "projects/my-project/topics/flowers-results"
    ])
    error_message = "Both functions should be told the topic."
  }
  assert {
    condition     = { for key, topic in google_pubsub_topic.this : key => topic.name } == { results = "flowers-results", dead_letters = "flowers-results-dead-letters" } && google_pubsub_subscription.results["results"].topic == google_pubsub_topic.this["results"].id
    error_message = "The subscription should read the topic that the functions publish to."
  }
  assert {
    condition = { for key, grant in google_pubsub_topic_iam_member.publishers : grant.member => "${grant.topic} ${grant.role}" } == {
      "serviceAccount:flowers-http@my-project.iam.gserviceaccount.com"            = "flowers-results roles/pubsub.publisher"
      "serviceAccount:flowers-upload@my-project.iam.gserviceaccount.com"          = "flowers-results roles/pubsub.publisher"
      "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com" = "flowers-results-dead-letters roles/pubsub.publisher"
    }
    error_message = "Both functions should be allowed to publish, to this topic alone, and Pub/Sub's agent to publish dead letters."
  }
  assert {
    condition     = google_pubsub_subscription.results["results"].bigquery_config[0].table == "my-project.flowers.streamed_documents" && google_pubsub_subscription.results["results"].bigquery_config[0].use_table_schema && google_pubsub_subscription.results["results"].bigquery_config[0].drop_unknown_fields
    error_message = "Messages should be written into the table's columns, fields that it does not know left out."
  }
  assert {
    condition     = google_bigquery_table_iam_member.writers["pubsub"].role == "roles/bigquery.dataEditor" && google_bigquery_table_iam_member.writers["pubsub"].table_id == "streamed_documents" && google_bigquery_table_iam_member.writers["pubsub"].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent should be able to write into the table, and into no other."
  }
  assert {
    condition     = google_pubsub_subscription.results["results"].dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.this["dead_letters"].id && google_pubsub_subscription.dead_letters["results"].topic == google_pubsub_topic.this["dead_letters"].id
    error_message = "What BigQuery refuses should wait in a subscription of its own."
  }
  assert {
    condition     = google_pubsub_subscription_iam_member.pubsub_takes_dead_letters["results"].role == "roles/pubsub.subscriber" && google_pubsub_subscription_iam_member.pubsub_takes_dead_letters["results"].subscription == "flowers-results-to-bigquery" && google_pubsub_subscription_iam_member.pubsub_takes_dead_letters["results"].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    error_message = "Pub/Sub's agent should be able to take dead letters out of the subscription."
  }
  assert {
    condition     = google_pubsub_subscription.results["results"].expiration_policy[0].ttl == "" && google_pubsub_subscription.dead_letters["results"].expiration_policy[0].ttl == ""
    error_message = "Subscriptions should not vanish when nothing happens for a month."
  }
  assert {
    condition     = jsondecode(google_bigquery_table.streamed_documents["results"].schema) == jsondecode(file("result_schema.json"))
    error_message = "The streamed table should have the columns of the external one."
  }
  assert {
    condition     = google_bigquery_table.streamed_documents["results"].time_partitioning[0].field == "classified_at" && google_bigquery_table.streamed_documents["results"].time_partitioning[0].expiration_ms == 2592000000
    error_message = "Documents should be deleted at the age asked for."
  }
  assert {
    condition     = google_bigquery_table.streamed_documents["results"].deletion_protection == false
    error_message = "Destroy should delete streamed documents when asked."
  }
  assert {
    condition     = strcontains(google_bigquery_table.quality["streamed_quality"].view[0].query, "FROM `my-project.flowers.streamed_classifications`")
    error_message = "Streamed results should have their view of quality."
  }
  assert {
    condition     = strcontains(google_bigquery_table.streamed_classifications["results"].view[0].query, "FROM `my-project.flowers.streamed_documents`")
    error_message = "The view should read the streamed table."
  }
  assert {
    condition     = google_pubsub_topic.this["results"].kms_key_name == var.kms_key && google_pubsub_topic.this["dead_letters"].kms_key_name == var.kms_key && google_bigquery_table.streamed_documents["results"].encryption_configuration[0].kms_key_name == var.kms_key
    error_message = "The key should encrypt topics and table."
  }
  assert {
    condition = { for key, grant in google_kms_crypto_key_iam_member.agents : key => "${grant.role} ${grant.member}" } == {
      bigquery = "roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:bq-123456789012@bigquery-encryption.iam.gserviceaccount.com"
      pubsub   = "roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
      storage  = "roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    }
    error_message = "The agents of Pub/Sub, BigQuery and Cloud Storage should be able to use the key."
  }
  assert {
    condition     = contains(keys(google_monitoring_alert_policy.this), "dead_letters") && strcontains(google_monitoring_alert_policy.this["dead_letters"].conditions[0].condition_prometheus_query_language[0].query, "subscription_id=\"flowers-results-dead-letters\"")
    error_message = "Dead letters should be told."
  }
  assert {
    condition     = output.result_topic == google_pubsub_topic.this["results"].id && output.classifications["streamed"] == "my-project.flowers.streamed_classifications"
    error_message = "The outputs should name topic and view."
  }
}

run "streamed_with_google_s_keys_and_kept" {
  command = plan

  variables {
    streaming = true
  }

  assert {
    condition     = google_bigquery_table.streamed_documents["results"].deletion_protection
    error_message = "Streamed documents should be kept through a destroy, unless asked."
  }
  assert {
    condition     = length(google_kms_crypto_key_iam_member.agents) + length(google_bigquery_table.streamed_documents["results"].encryption_configuration) == 0
    error_message = "Without a key of one's own, none should be granted."
  }
}
