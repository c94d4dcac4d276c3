#!/usr/bin/env bash
# Gather what the containers of function/backfill are made of, in infra/.build/backfill, and write their tag, a digest of that,
# for the next plan. With a project and a region, build them in Cloud Build as well.
#
#   infra/backfill-image.sh [PROJECT REGION] [NAME]
set -euo pipefail

cd "$(dirname "$0")"
project=${1:-} region=${2:-} name=${3:-flowers}

rm -rf .build/backfill && mkdir -p .build/backfill
cp -R ../function/. dataflow.Dockerfile .build/backfill/
find .build/backfill \( -name __pycache__ -o -name '*.md' -o -name '.*' ! -name . ! -path .build/backfill \) -prune -exec rm -rf {} +
cp .build/backfill/backfill/requirements.txt .build/backfill/requirements.txt

python=$(cat python-version)
tag=$( (echo "$python" && cd .build/backfill && find . -type f | LC_ALL=C sort | xargs sha256sum) | sha256sum | cut -c 1-16)
echo "backfill_tag = \"$tag\"" > backfill.auto.tfvars
[ -n "$project" ] || exit 0

gcloud builds submit .build/backfill --config=backfill-image.yaml "--project=$project" "--region=${region:?"REGION is missing"}" --suppress-logs \
  "--gcs-source-staging-dir=gs://$project-$name-source/backfill" \
  "--service-account=projects/$project/serviceAccounts/$name-build@$project.iam.gserviceaccount.com" \
  "--substitutions=_PYTHON=$python,_REPOSITORY=$region-docker.pkg.dev/$project/$name-functions,_TAG=$tag"
