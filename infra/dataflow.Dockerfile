# The container of Dataflow's workers: Beam's own, with the code and all that it needs, since workers reach no package registry.
# https://cloud.google.com/dataflow/docs/guides/build-container-image
ARG PYTHON_VERSION
ARG BEAM_VERSION
FROM apache/beam_python${PYTHON_VERSION}_sdk:${BEAM_VERSION}

WORKDIR /function
COPY requirements.txt .
RUN pip install --no-cache-dir --no-deps --requirement requirements.txt
COPY . .
ENV PYTHONPATH=/function
