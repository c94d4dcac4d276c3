# The container of Dataflow's workers: Beam's own, with the code and all that it needs, since workers reach no package registry.
# https://cloud.google.com/dataflow/docs/guides/build-container-image
ARG BEAM_VERSION
FROM apache/beam_python3.11_sdk:${BEAM_VERSION}

WORKDIR /function
COPY requirements.txt .
RUN pip install --no-cache-dir --requirement requirements.txt
COPY . .
ENV PYTHONPATH=/function
