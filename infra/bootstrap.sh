#!/usr/bin/env bash
# Prepare a project for Terraform: APIs, Google's agents, the state's bucket, and the variables' file. Run it as often as you like.
#
#   infra/bootstrap.sh PROJECT REGION [ENV]       DRY_RUN=1 only says what it would do
set -euo pipefail

project=${1:?"PROJECT is missing: make bootstrap PROJECT=my-project REGION=europe-west1"}
region=${2:?"REGION is missing: make bootstrap PROJECT=my-project REGION=europe-west1"}
environment=${3:-}
state="$project-terraform-state"
infra=$(cd "$(dirname "$0")" && pwd)

say() { printf '\n%s\n' "$*"; }

exec 3>&1
run() {
  printf '+ %s\n' "$*" >&3
  [ -n "${DRY_RUN:-}" ] || "$@"
}

say "1. APIs that Terraform works through, and those whose agents are made next"
run gcloud services enable cloudresourcemanager.googleapis.com serviceusage.googleapis.com iam.googleapis.com \
  eventarc.googleapis.com pubsub.googleapis.com storage.googleapis.com "--project=$project"

say "2. Google's agents: nothing else makes Eventarc's before the first trigger needs it"
# https://github.com/hashicorp/terraform-provider-google/issues/25294
for service in eventarc pubsub; do
  run gcloud beta services identity create "--service=$service.googleapis.com" "--project=$project"
done

say "3. The bucket for Terraform's state, with old versions kept"
if [ -z "${DRY_RUN:-}" ] && gcloud storage buckets describe "gs://$state" "--project=$project" > /dev/null 2>&1; then
  echo "gs://$state is there"
else
  run gcloud storage buckets create "gs://$state" "--project=$project" "--location=$region" \
    --uniform-bucket-level-access --public-access-prevention
fi
run gcloud storage buckets update "gs://$state" --versioning

say "4. Who may be let in"
policy=$(run gcloud resource-manager org-policies describe constraints/iam.allowedPolicyMemberDomains "--project=$project" --effective \
  --format=json) || true
if grep -q '"allowedValues"' <<< "$policy"; then
  echo "The organization shares with its own domains only: Google refuses allow_unauthenticated = true, and members of other"
  echo "domains. To open the endpoint all the same, deploy it private and then switch the check off (infra/README.md, \"Open it\")."
elif [ -z "${DRY_RUN:-}" ]; then
  echo "Nothing restricts it, as far as this account can see."
fi

say "5. The variables"
variables="$infra/${environment:+env/}${environment:-terraform}.tfvars"
if [ -f "$variables" ]; then
  echo "$variables is there"
elif [ -n "${DRY_RUN:-}" ]; then
  echo "+ write $variables"
else
  mkdir -p "$(dirname "$variables")"
  sed -e "s/^project_id = .*/project_id = \"$project\"/" -e "s/^region     = .*/region     = \"$region\"/" \
    ${environment:+-e "s/^# name = .*/name = \"flowers-$environment\"/"} "$infra/terraform.tfvars.example" > "$variables"
  echo "wrote $variables"
fi

say "Next: make plan STATE_BUCKET=$state${environment:+ ENV=$environment}"
