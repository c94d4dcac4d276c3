# Each target is three lines at most and runs on a laptop and in Cloud Build alike. It makes its environment first.
PYTHON ?= python3
PORT ?= 8080
NAME ?= flowers
PEERS = bentoml fastapi litert litserve

# $(call options,URL MINUTES): `--url … --minutes …`, for those variables that are set.
options = $(foreach name,$(1),$(if $($(name)),--$(subst _,-,$(shell echo $(name) | tr A-Z a-z)) $($(name))))
IGNORED = browser infra function/backfill export/conversion export/training export/validation
PYTEST = python -m pytest $(IGNORED:%=--ignore=tests/%) --ignore-glob='tests/export/test_*.py'

.DEFAULT_GOAL := help
.PHONY: help serve local-cloud check format lint hooks lock clean export \
    test test-backfill test-browser test-export test-zoo test-infra test-load test-soak \
    bench bench-backfill profile load capacity bootstrap plan deploy smoke sbom backfill-image

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

##@ Try
serve: .venv/serve/ready ## serve the model on http://localhost:8080 (PORT=9000 for another port)
	@echo "Serving on http://localhost:$(PORT). Press Ctrl-C to stop. Try: curl --data-binary @flower.jpg http://localhost:$(PORT)/"
	@.venv/serve/bin/functions-framework --source function/main.py --target classify_http --port $(PORT)

local-cloud: .venv/test/ready ## run the upload function with an emulated bucket
	@.venv/test/bin/python -m tests.local_cloud start

##@ Develop
check: lint test ## lint, then test

format: .venv/test/ready ## format the Python code, and the Terraform code if terraform is installed
	.venv/test/bin/ruff check --fix .
	.venv/test/bin/ruff format .
	if command -v terraform > /dev/null; then terraform fmt -recursive infra; fi

lint: .venv/test/ready ## check style and types
	.venv/test/bin/ruff check .
	.venv/test/bin/ruff format --check .
	.venv/test/bin/mypy function/main.py function/flowers function/backfill export tests

hooks: .venv/test/ready .venv/tools/ready ## check each commit before it is made (pre-commit)
	.venv/tools/bin/pre-commit install

lock: .venv/tools/ready ## lock every requirements.in again (UPGRADE=1 to take newer releases)
	@.ci/lock $(if $(UPGRADE),--upgrade)

clean: ## remove environments, caches and generated files (export/build stays: it may hold a training run)
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache infra/.build tests/bench/build
	find . -name __pycache__ -prune -exec rm -rf {} +

##@ Test
test: .venv/test/ready ## run the tests of the function, without TensorFlow
	.venv/test/bin/$(PYTEST)

test-backfill: .venv/backfill/ready ## run the tests of the backfill (installs Apache Beam)
	.venv/backfill/bin/python -m pytest tests/function/backfill

test-browser: .venv/browser/ready ## run the tests of the web page (needs Chromium)
	.venv/browser/bin/python -m pytest tests/browser

test-export: .venv/export/ready ## run the tests of export/ (installs TensorFlow)
	.venv/export/bin/python -m pytest tests/export

test-zoo: .venv/export/ready ## convert all of keras.applications in every form; writes the table of export/README.md
	.venv/export/bin/python -m pytest tests/export/test_zoo.py -m zoo

test-infra: .venv/infra/ready .venv/checkov/ready ## run the tests of the deployment (needs terraform, deploys nothing)
	.venv/infra/bin/python -m pytest tests/infra -s

test-load: .venv/load/ready ## run a short load test
	.venv/load/bin/python -m pytest tests/bench/load/test_load.py -s

test-soak: .venv/test/ready ## run the long tests: thousands of uploads while memory is measured
	.venv/test/bin/$(PYTEST) -m soak -s

##@ Measure
bench: .venv/serve/ready .venv/bench/ready $(PEERS:%=.venv/bench-%/ready) tests/bench/build/ready ## compare speed and memory with other servers (ONLY=cold,int8)
	@ONLY=$(ONLY) .venv/bench/bin/python -m tests.bench.speed

bench-backfill: .venv/backfill/ready ## measure the backfill of 10,000 images
	.venv/backfill/bin/python -m tests.bench.backfill --data $(or $(DATA),../shared/flowers102)

profile: .venv/serve/ready ## write where the time of a start and of a photo goes
	.venv/serve/bin/python -m tests.bench.profile

load: .venv/load/ready ## load a function and report (URL=https://… PROFILE=ramp RATE=5 PEAK=500 MINUTES=60)
	.venv/load/bin/python -m tests.bench.load $(call options,URL PROFILE RATE PEAK MINUTES)

capacity: .venv/test/ready ## recommend sizes and their cost for your numbers (IMAGES_PER_DAY=50000 PEAK=20 LATENCY_MS=500 …)
	.venv/test/bin/python -m tests.bench.capacity $(call options,IMAGES_PER_DAY PEAK COLD_SHARE LATENCY_MS MEGAPIXELS UPLINK_MBIT PRICES) $(if $(WRITE),--write) $(if $(MEASURE),--measure)

##@ Model
export: .venv/export/ready ## rebuild the served model from the Keras model and the photos (DATA="folder folder")
	.venv/export/bin/python -m export all $(if $(DATA),--data $(DATA))

##@ Deploy (Google Cloud)
bootstrap: ## prepare a project for the first plan (PROJECT=my-project REGION=europe-west1; DRY_RUN=1 to look)
	@DRY_RUN=$(DRY_RUN) infra/bootstrap.sh "$(PROJECT)" "$(REGION)" "$(ENV)"

plan: ## show what a deployment would change (STATE_BUCKET=my-project-terraform-state; ENV=dev)
	$(if $(STATE_BUCKET),,$(error STATE_BUCKET is missing: name the bucket that holds the state, as make bootstrap says))
	terraform -chdir=infra init -input=false -reconfigure -backend-config=bucket=$(STATE_BUCKET) -backend-config=prefix=flowers$(ENV:%=/%)
	terraform -chdir=infra plan -input=false $(if $(filter false,$(LOCK)),-lock=false,-lock-timeout=10m) $(ENV:%=-var-file=env/%.tfvars) -out=flowers.tfplan

deploy: ## apply the plan of `make plan`
	terraform -chdir=infra apply -input=false -lock-timeout=10m flowers.tfplan

smoke: .venv/test/ready ## test a deployment with one photo (URL=https://… BUCKET=my-images, or one of the two)
	.venv/test/bin/python -m tests.smoke $(call options,URL BUCKET RESULTS SUFFIX)

sbom: .venv/tools/ready ## list the packages of the function in infra/.build/function.cdx.json (CycloneDX)
	mkdir -p infra/.build
	.venv/tools/bin/cyclonedx-py requirements function/requirements.txt --output-reproducible --output-file infra/.build/function.cdx.json

backfill-image: ## build the backfill's containers in Cloud Build (PROJECT=my-project REGION=europe-west1)
	infra/backfill-image.sh "$(or $(PROJECT),$(error PROJECT is missing: name that of infra/terraform.tfvars))" "$(REGION)" "$(NAME)"

tests/bench/build/ready: export/flowers.keras tests/bench/speed/models.py | .venv/export/ready
	@mkdir -p $(@D)
	.venv/export/bin/python -m tests.bench.speed.models $(@D)
	@touch $@

.venv/serve/ready: function/requirements.txt
.venv/test/ready: tests/requirements.txt
.venv/tools/ready: .ci/requirements.txt
.venv/backfill/ready: tests/function/backfill/requirements.txt
.venv/browser/ready: tests/browser/requirements.txt
.venv/load/ready: tests/bench/load/requirements.txt
.venv/infra/ready: tests/infra/requirements.txt
.venv/checkov/ready: tests/infra/checkov.txt
.venv/export/ready: export/requirements.txt
.venv/bench/ready: tests/bench/speed/requirements/runner.txt
$(PEERS:%=.venv/bench-%/ready): .venv/bench-%/ready: tests/bench/speed/requirements/%.txt
# The locks are complete, so pip resolves nothing (it cannot check hashes of extras). function.pth lets every environment import the function's packages.
.venv/%/ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, for example: make PYTHON=python3.12 $*")'
	$(PYTHON) -m venv --clear .venv/$* && echo $(CURDIR)/function > $$(echo .venv/$*/lib/python3*/site-packages)/function.pth
	.venv/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $< && touch $@
