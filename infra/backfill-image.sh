#!/bin/sh
# Build the backfill's containers in Cloud Build and write their tag for the next plan: backfill-image.sh PROJECT REGION NAME.
# The tag is a digest of their source, so unchanged code changes nothing.
set -eu
project=$1 region=$2 name=$3
cd "$(dirname "$0")/.."

tag=$(cd infra/.build/backfill && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c 1-16)
gcloud builds submit infra/.build/backfill --config=infra/backfill-image.yaml --project="$project" --region="$region" \
  --suppress-logs --gcs-source-staging-dir="gs://$project-$name-source/backfill" \
  --service-account="projects/$project/serviceAccounts/$name-build@$project.iam.gserviceaccount.com" \
  --substitutions="_REPOSITORY=$region-docker.pkg.dev/$project/$name-functions,_TAG=$tag"
echo "backfill_tag = \"$tag\"" > infra/backfill.auto.tfvars
