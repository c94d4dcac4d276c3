"""Talk to Cloud Storage and Pub/Sub."""
