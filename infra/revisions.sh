#!/usr/bin/env bash
# Note which revisions of the two functions serve, in .cache, or send the traffic back to those.
#
#   infra/revisions.sh note|restore NAME REGION
set -euo pipefail

mkdir -p .cache
for service in "$2-http" "$2-upload"; do
  noted=.cache/$service.revision
  if [ "$1" = note ]; then
    # A first deployment has none.
    gcloud run services describe "$service" "--region=$3" '--format=value(status.latestReadyRevisionName)' > "$noted" || true
  elif [ -s "$noted" ]; then
    gcloud run services update-traffic "$service" "--region=$3" "--to-revisions=$(cat "$noted")=100"
  else
    echo "$service has no earlier revision to go back to"
  fi
done
