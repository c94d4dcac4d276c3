# Each target is a line or two and runs on a laptop and in Cloud Build alike. Environments are made when first needed.
PYTHON ?= python3
PORT ?= 8080
DATA ?= ../shared/flowers102
NAME ?= flowers
FUNCTION ?= function
PEERS = litert litserve bentoml fastapi

.DEFAULT_GOAL := help
.PHONY: help serve local-cloud test test-browser test-export test-soak test-load test-backfill infra-test \
    lint bench bench-backfill profile load capacity export backfill-source backfill-image plan deploy smoke

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' Makefile

serve: .venv/serve/ready ## serve the bundled model on http://localhost:$(PORT)
	@echo "Serving on http://localhost:$(PORT) (Ctrl-C ends it). Try: curl --data-binary @flower.jpg http://localhost:$(PORT)/"
	@.venv/serve/bin/functions-framework --source function/main.py --target classify_http --port $(PORT)

local-cloud: .venv/test/ready ## the upload path on this machine: a bucket, the function, and the events between
	@.venv/test/bin/python -m tests.local_cloud start

test: .venv/test/ready ## run the tests that need no TensorFlow
	.venv/test/bin/python -m pytest --ignore=tests/export --ignore=tests/browser --ignore=tests/infra --ignore=tests/function/backfill

test-browser: .venv/browser/ready ## run the tests of the page in Chromium, where one is installed
	.venv/browser/bin/python -m pytest tests/browser

test-backfill: .venv/backfill/ready ## run the tests of the backfill (installs Apache Beam)
	.venv/backfill/bin/python -m pytest tests/function/backfill

test-export: .venv/export/ready ## run the tests of export/ (installs TensorFlow)
	.venv/export/bin/python -m pytest tests/export

test-soak: .venv/test/ready ## run the long tests: thousands of uploads, memory watched
	.venv/test/bin/python -m pytest --ignore=tests/export --ignore=tests/browser --ignore=tests/infra --ignore=tests/function/backfill -m soak -s

test-load: .venv/load/ready ## run the short load test
	.venv/load/bin/python -m pytest tests/bench/load/test_load.py -s

bench-backfill: .venv/backfill/ready ## measure the backfill of 10,000 images, killed half way, and while uploads arrive
	PYTHONPATH=function .venv/backfill/bin/python -m tests.bench.backfill --data $(DATA)

lint: .venv/test/ready ## check style and types
	.venv/test/bin/ruff check .
	.venv/test/bin/ruff format --check .
	.venv/test/bin/mypy function/main.py function/flowers function/backfill export tests

infra-test: .venv/infra/ready .venv/checkov/ready ## test the deployment: terraform and checkov, nothing is deployed
	.venv/infra/bin/python -m pytest tests/infra -s

load: .venv/load/ready ## load a function and report: make load [URL=https://…] [PROFILE=ramp] [PEAK=500]
	.venv/load/bin/python -m tests.bench.load $(if $(URL),--url $(URL)) $(if $(PROFILE),--profile $(PROFILE)) $(if $(RATE),--rate $(RATE)) $(if $(PEAK),--peak $(PEAK)) $(if $(MINUTES),--minutes $(MINUTES))

capacity: .venv/test/ready ## recommend a size, with its cost: make capacity [IMAGES_PER_DAY=50000] [PEAK=20] [WRITE=1] [MEASURE=1] …
	.venv/test/bin/python -m tests.bench.capacity $(foreach name,IMAGES_PER_DAY PEAK COLD_SHARE LATENCY_MS MEGAPIXELS UPLINK_MBIT PRICES,$(if $($(name)),--$(shell echo $(name) | tr A-Z_ a-z-) $($(name)))) $(if $(WRITE),--write) $(if $(MEASURE),--measure)

plan: ## show what a deployment would change: make plan STATE_BUCKET=my-project-terraform-state
	$(if $(STATE_BUCKET),,$(error STATE_BUCKET is missing: name the bucket that holds the state, see infra/versions.tf))
	terraform -chdir=infra init -input=false -backend-config=bucket=$(STATE_BUCKET)
	terraform -chdir=infra plan -input=false -out=flowers.tfplan

deploy: ## apply the plan that `make plan` showed
	terraform -chdir=infra apply -input=false flowers.tfplan

backfill-source: ## gather what the containers of function/backfill are made of, in infra/.build/backfill
	rm -rf infra/.build/backfill && mkdir -p infra/.build && cp -R function infra/.build/backfill && cp infra/dataflow.Dockerfile infra/.build/backfill/
	find infra/.build/backfill -name __pycache__ -prune -exec rm -rf {} + && cp infra/.build/backfill/backfill/requirements.txt infra/.build/backfill/requirements.txt

backfill-image: backfill-source ## build them in Cloud Build, for the next plan: make backfill-image PROJECT=my-project REGION=europe-west1
	$(if $(and $(PROJECT),$(REGION)),,$(error PROJECT or REGION is missing: name those of infra/terraform.tfvars))
	tag=$$(cd infra/.build/backfill && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c 1-16) && \
	gcloud builds submit infra/.build/backfill --config=infra/backfill-image.yaml --project=$(PROJECT) --region=$(REGION) --suppress-logs \
	  --gcs-source-staging-dir=gs://$(PROJECT)-$(NAME)-source/backfill --service-account=projects/$(PROJECT)/serviceAccounts/$(NAME)-build@$(PROJECT).iam.gserviceaccount.com \
	  --substitutions=_REPOSITORY=$(REGION)-docker.pkg.dev/$(PROJECT)/$(NAME)-functions,_TAG=$$tag && \
	echo "backfill_tag = \"$$tag\"" > infra/backfill.auto.tfvars

smoke: .venv/test/ready ## ask a deployment for a flower: make smoke URL=https://… BUCKET=my-images (or one of the two)
	.venv/test/bin/python -m tests.smoke $(if $(URL),--url $(URL)) $(if $(BUCKET),--bucket $(BUCKET)) $(if $(RESULTS),--results $(RESULTS)) $(if $(SUFFIX),--suffix $(SUFFIX))

export: .venv/export/ready ## rebuild the served model from the Keras model and the data: make export DATA=folder
	.venv/export/bin/python -m export all --data $(DATA)

bench: .venv/serve/ready .venv/bench/ready $(PEERS:%=.venv/bench-%/ready) tests/bench/build/ready ## measure speed and memory beside others' (ONLY=cold,int8 for some)
	@ONLY=$(ONLY) PYTHONPATH=function .venv/bench/bin/python -m tests.bench.speed

profile: .venv/serve/ready ## write where the time of a start and of a photo goes to tests/bench/profile/profile.txt
	.venv/serve/bin/python -m tests.bench.profile

tests/bench/build/ready: export/flowers.keras tests/bench/speed/models.py | .venv/export/ready
	@mkdir -p $(@D)
	PYTHONPATH=function .venv/export/bin/python -m tests.bench.speed.models $(@D)
	@touch $@

.venv/serve/ready: function/requirements.txt
.venv/test/ready: function/requirements.txt tests/requirements.txt
.venv/backfill/ready: function/backfill/requirements.txt tests/function/backfill/requirements.txt
.venv/browser/ready: function/requirements.txt tests/requirements.txt tests/browser/requirements.txt
.venv/load/ready: function/requirements.txt tests/requirements.txt tests/bench/load/requirements.txt
.venv/infra/ready: function/requirements.txt tests/requirements.txt tests/infra/requirements.txt
.venv/checkov/ready: tests/infra/checkov.txt
.venv/export/ready: function/requirements.txt export/requirements.txt tests/requirements.txt

.venv/bench/ready: function/requirements.txt tests/bench/speed/requirements/runner.txt
$(PEERS:%=.venv/bench-%/ready): .venv/bench-%/ready: tests/bench/speed/requirements/%.txt

.venv/serve/ready: REQUIREMENTS = -r function/requirements.txt
.venv/load/ready: REQUIREMENTS = -r tests/requirements.txt -r tests/bench/load/requirements.txt
.venv/infra/ready: REQUIREMENTS = -r tests/requirements.txt -r tests/infra/requirements.txt
.venv/checkov/ready: REQUIREMENTS = -r tests/infra/checkov.txt
.venv/test/ready: REQUIREMENTS = -r tests/requirements.txt
.venv/backfill/ready: REQUIREMENTS = -r tests/function/backfill/requirements.txt
.venv/browser/ready: REQUIREMENTS = -r tests/requirements.txt -r tests/browser/requirements.txt
.venv/export/ready: REQUIREMENTS = -r export/requirements.txt -r tests/requirements.txt
.venv/bench/ready: REQUIREMENTS = -r tests/bench/speed/requirements/runner.txt
$(PEERS:%=.venv/bench-%/ready): REQUIREMENTS = -r $<
# `python -m export` measures with the function's own code. A .pth file puts function/ on the environment's path; the
# alternative, a package that pip installs, would bring a pyproject.toml into what is deployed.
.venv/export/ready: AFTER_INSTALL = echo "$(CURDIR)/function" > "$$(.venv/export/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/function.pth"
.venv/%/ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, for example: make PYTHON=python3.12 $*")'
	$(PYTHON) -m venv .venv/$*
	.venv/$*/bin/python -m pip install --quiet --disable-pip-version-check $(REQUIREMENTS)
	@$(AFTER_INSTALL)
	@touch $@
