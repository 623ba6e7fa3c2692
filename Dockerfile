# The service, the worker and the MLflow server are one image with different commands (see docker-compose.yml).
FROM python:3.11-slim-bookworm

# XGBoost and LightGBM need the OpenMP runtime, which the slim image leaves out; `leadloop backup` the client of the database's version.
RUN apt-get update && apt-get install --no-install-recommends -y libgomp1 postgresql-common \
    && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
    && apt-get install --no-install-recommends -y postgresql-client-18 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 leadloop

WORKDIR /app
COPY requirements/run.txt requirements/run.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md ./
COPY api api
COPY automation automation
COPY ml ml
COPY data data
COPY scripts scripts
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && mkdir -p data/var && chown -R leadloop data/var

USER leadloop
ENV PYTHONUNBUFFERED=1
EXPOSE 8000
CMD ["leadloop", "serve", "--host", "0.0.0.0", "--port", "8000"]
