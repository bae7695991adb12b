# The project with its locked packages, for one machine, Apptainer and Kubernetes: docs/container.md.
#   docker build --build-arg CPU_BUILDS=ADDRESS --tag pstl .    ADDRESS: where PyTorch's CPU builds lie
#   docker build --build-arg TORCH=cuda --tag pstl:cuda .       for NVIDIA's GPUs
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG TORCH=cpu
ARG CPU_BUILDS=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PATH=/opt/venv/bin:$PATH
WORKDIR /build
RUN if [ "$TORCH" = cpu ] && [ -z "$CPU_BUILDS" ]; then \
      echo "CPU_BUILDS is empty: give the address that PyTorch's install page names for pip and CPU, or TORCH=cuda" >&2; exit 2; \
    fi; \
    python3 -m venv /opt/venv
COPY requirements.lock requirements-cpu.lock requirements-cuda.lock requirements-kubernetes.lock ./
# As `make install` does: every file has one of the locked hashes, and nothing else is looked for.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements.lock >setuptools.lock \
 && pip install --require-hashes --no-deps -r setuptools.lock
RUN if [ "$TORCH" = cpu ]; then \
      pip install --require-hashes --no-deps --extra-index-url "$CPU_BUILDS" --find-links "$CPU_BUILDS" -r requirements-cpu.lock; \
    else \
      pip install --require-hashes --no-deps --no-build-isolation -r requirements-cuda.lock; \
    fi
RUN pip install --require-hashes --no-deps --no-build-isolation -r requirements.lock -r requirements-kubernetes.lock
COPY . .
# The bill of materials of what is in the image lies beside it.
RUN pip install --no-deps --no-build-isolation . \
 && pip check \
 && python -m supply.bom /opt/venv/sbom.cdx.json

FROM ${PYTHON_IMAGE}
# git: rows name the commit they were made with
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 pstl \
 && mkdir /work \
 && chown pstl /work
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
USER 1000
WORKDIR /work
CMD ["pstl", "--help"]
