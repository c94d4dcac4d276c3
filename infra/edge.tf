# A domain of one's own in front of the HTTPS function, if that is asked for: load balancer, certificate, and a limit for
# each caller, without which a public classifier is a bill. With `iap`, people log in with their browser.

locals {
  edge = var.edge == null ? {} : { edge = var.edge }
}

resource "google_compute_global_address" "edge" {
  for_each = local.edge

  name = "${var.name}-edge"

  depends_on = [time_sleep.services]
}

resource "google_compute_security_policy" "edge" {
  for_each = local.edge

  name = "${var.name}-edge"

  rule {
    description = "A limit for each address"
    priority    = 1000
    action      = "throttle"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = each.value.requests_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    description = "The rest, which a policy has to name"
    priority    = 2147483647
    action      = "allow"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_compute_region_network_endpoint_group" "edge" {
  for_each = local.edge

  name                  = "${var.name}-edge"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloudfunctions2_function.this["http"].name
  }
}

resource "google_compute_backend_service" "edge" {
  for_each = local.edge

  name                  = "${var.name}-edge"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  security_policy       = google_compute_security_policy.edge["edge"].id

  backend {
    group = google_compute_region_network_endpoint_group.edge["edge"].id
  }

  dynamic "iap" {
    for_each = each.value.iap ? [true] : []
    content {
      enabled = iap.value
    }
  }
}

resource "google_iap_web_backend_service_iam_member" "edge" {
  for_each = try(var.edge.iap, false) ? toset(var.invokers) : []

  web_backend_service = google_compute_backend_service.edge["edge"].name
  role                = "roles/iap.httpsResourceAccessor"
  member              = each.value
}

resource "google_compute_managed_ssl_certificate" "edge" {
  for_each = local.edge

  name = "${var.name}-edge-${substr(sha1(each.value.domain), 0, 6)}" # another domain is another certificate

  managed {
    domains = [each.value.domain]
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.services]
}

resource "google_compute_url_map" "edge" {
  for_each = local.edge

  name            = "${var.name}-edge"
  default_service = google_compute_backend_service.edge["edge"].id
}

resource "google_compute_target_https_proxy" "edge" {
  for_each = local.edge

  name             = "${var.name}-edge"
  url_map          = google_compute_url_map.edge["edge"].id
  ssl_certificates = [google_compute_managed_ssl_certificate.edge["edge"].id]
}

resource "google_compute_global_forwarding_rule" "edge" {
  for_each = local.edge

  name                  = "${var.name}-edge"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.edge["edge"].id
  target                = google_compute_target_https_proxy.edge["edge"].id
  port_range            = "443"
}
