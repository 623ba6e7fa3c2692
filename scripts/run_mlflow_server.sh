#!/bin/sh
# Opens the MLflow UI on the tracking store that Leadloop uses: scripts/run_mlflow_server.sh [port]
set -eu
cd "$(dirname "$0")/.."
store="${LEADLOOP_MLFLOW_TRACKING_URI:-sqlite:///data/var/mlflow.db}"
case "$store" in
http*) echo "LEADLOOP_MLFLOW_TRACKING_URI is a server already: open $store" && exit 0 ;;
sqlite:////*) ;;
sqlite:///*) store="sqlite:///$PWD/${store#sqlite:///}" ;;
esac
mkdir -p data/var/mlartifacts
exec .venv/bin/python -m mlflow server --backend-store-uri "$store" --artifacts-destination "$PWD/data/var/mlartifacts" \
    --host 127.0.0.1 --port "${1:-5000}" --workers 1
