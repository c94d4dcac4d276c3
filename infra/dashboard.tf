# One page that shows whether it works. Nothing is stated that the interface drops or fills in (positions of 0, defaults), so
# that the next plan finds no difference.

locals {
  charts = [
    {
      title  = "Requests a second, by answer"
      series = { "" = "sum by (service_name, response_code_class) (rate(run_googleapis_com:request_count{${local.of_both}}[5m]))" }
    },
    {
      title = "Latency of HTTPS answers (ms)"
      series = {
        "median"          = "histogram_quantile(0.5, sum by (le) (rate(run_googleapis_com:request_latencies_bucket{${local.of_http}}[5m])))"
        "95th percentile" = "histogram_quantile(0.95, sum by (le) (rate(run_googleapis_com:request_latencies_bucket{${local.of_http}}[5m])))"
      }
    },
    {
      title  = "What became of uploads (events in 10 minutes)"
      series = { "" = "sum by (event) (increase(${local.upload_events}}[10m]))" }
    },
    {
      title  = "Oldest upload that waits (s)"
      series = { "" = "max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{${local.of_subscription}})" }
    },
    {
      title  = "Memory, 99th percentile (share of the limit)"
      series = { "" = "histogram_quantile(0.99, sum by (le, service_name) (rate(run_googleapis_com:container_memory_utilizations_bucket{${local.of_both}}[5m])))" }
    },
    {
      title  = "Instances"
      series = { "" = "sum by (service_name, state) (run_googleapis_com:container_instance_count{${local.of_both}})" }
    },
    {
      title  = "Share identified (in a day)"
      series = { "" = local.share_identified.day }
    },
    {
      title = "Confidence (in a day)"
      series = { for legend, quantile in { "10th percentile" = 0.1, "median" = 0.5, "90th percentile" = 0.9 } :
      legend => "histogram_quantile(${quantile}, sum by (le) (increase(logging_googleapis_com:user_${local.confidence_metric}_bucket{${local.of_both}}[1d])))" }
    },
    {
      title  = "The ten most frequent kinds (in a week)"
      series = { "" = "topk(10, sum by (label) (increase(${local.kinds},event=\"classified\"}[1w])))" }
    },
    {
      title  = "Corrections by the kind that people name (in a week)"
      series = { "" = "topk(10, sum by (label) (increase(${local.kinds},event=\"corrected\"}[1w])))" }
    },
    {
      title  = "Errors in the log (in 10 minutes)"
      series = { "" = "sum by (service_name) (increase(logging_googleapis_com:user_${local.faults_metric}{${local.of_both}}[10m]))" }
    },
  ]
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "${var.name}: flower classifier"
    gridLayout = {
      columns = "2"
      widgets = [for chart in local.charts : {
        title = chart.title
        xyChart = {
          dataSets = [for legend, query in chart.series : merge(
            { plotType = "LINE", timeSeriesQuery = { prometheusQuery = query } },
            legend == "" ? {} : { legendTemplate = legend },
          )]
        }
      }]
    }
  })

  depends_on = [time_sleep.services]
}
