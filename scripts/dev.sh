#!/usr/bin/env bash
# Dagster's and MLflow's pages on localhost until Ctrl-C; expects the activated virtual environment.
set -euo pipefail
free_port() { python - "$1" <<'PY'
import socket, sys
port = int(sys.argv[1])
while True:
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            port += 1
            continue
    print(port)
    break
PY
}
mlflow_port=$(free_port "${MLFLOW_PORT:-5000}")
dagster_port=$(free_port "${DAGSTER_PORT:-3000}")
export NRDFER_MLFLOW_URL=http://127.0.0.1:$mlflow_port NRDFER_DAGSTER_URL=http://127.0.0.1:$dagster_port
trap 'kill 0' EXIT
mlflow ui --host 127.0.0.1 --port "$mlflow_port" > "$NRDFER_HOME/mlflow-ui.log" 2>&1 &
dagster dev --host 127.0.0.1 --port "$dagster_port" > "$NRDFER_HOME/dagster-dev.log" 2>&1 &
wait_for() { for _ in $(seq 120); do python - "$1" <<'PY' 2>/dev/null && return 0
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=2)
PY
sleep 1; done; echo "$1 did not answer; see the logs in $NRDFER_HOME" >&2; return 1; }
wait_for "http://127.0.0.1:$mlflow_port/health"
wait_for "http://127.0.0.1:$dagster_port/server_info"
echo "Dagster  http://127.0.0.1:$dagster_port      MLflow  http://127.0.0.1:$mlflow_port      (Ctrl-C stops both)"
wait
