# A warning before the bill is one. It stops nothing: what bounds the cost is max_instances.

resource "google_billing_budget" "this" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "${var.name} in ${var.project_id}"

  budget_filter {
    projects        = ["projects/${data.google_project.this.number}"]
    calendar_period = "MONTH"
  }

  amount {
    specified_amount {
      units = tostring(var.budget.monthly_amount)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1.0]
    content {
      threshold_percent = threshold_rules.value
    }
  }

  # Billing administrators are told in any case.
  dynamic "all_updates_rule" {
    for_each = length(var.alert_emails) == 0 ? [] : [slice(var.alert_emails, 0, min(5, length(var.alert_emails)))]
    content {
      monitoring_notification_channels = [for email in all_updates_rule.value : google_monitoring_notification_channel.email[email].name]
    }
  }

  depends_on = [time_sleep.services]
}
