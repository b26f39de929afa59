#!/usr/bin/env bash
# Dagster's and MLflow's pages on localhost until Ctrl-C; expects the activated virtual environment.
set -euo pipefail
free_port() { python - "$1" <<'PY'
import socket, sys
port = int(sys.argv[1])
while True:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            port += 1
            continue
    print(port)
    break
PY
}
unset DAGSTER_MODULE_NAME  # the pages read workspace.yaml, and refuse to have both
mlflow_port=$(free_port "${MLFLOW_PORT:-5000}")
dagster_port=$(free_port "${DAGSTER_PORT:-3000}")
export NRDFER_MLFLOW_URL=http://127.0.0.1:$mlflow_port NRDFER_DAGSTER_URL=http://127.0.0.1:$dagster_port
set -m  # every server gets a process group of its own, so that it can be stopped with all its children
mlflow ui --host 127.0.0.1 --port "$mlflow_port" > "$NRDFER_HOME/mlflow-ui.log" 2>&1 &
mlflow_group=$!
dagster dev --host 127.0.0.1 --port "$dagster_port" > "$NRDFER_HOME/dagster-dev.log" 2>&1 &
dagster_group=$!
stop() {
  trap - EXIT INT TERM
  kill -INT -- "-$dagster_group" 2>/dev/null || true
  kill -TERM -- "-$mlflow_group" 2>/dev/null || true
  for signal in TERM KILL; do  # a server that was still starting may miss the first
    for _ in $(seq 40); do
      kill -0 -- "-$dagster_group" 2>/dev/null || kill -0 -- "-$mlflow_group" 2>/dev/null || return 0
      sleep 0.25
    done
    kill -"$signal" -- "-$dagster_group" "-$mlflow_group" 2>/dev/null || true
  done
  wait
}
trap stop EXIT
trap 'exit 0' INT TERM
wait_for() { for _ in $(seq 120); do python - "$1" <<'PY' 2>/dev/null && return 0
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=2)
PY
sleep 1; done; echo "$1 did not answer; see the logs in $NRDFER_HOME" >&2; return 1; }
wait_for "http://127.0.0.1:$mlflow_port/health"
wait_for "http://127.0.0.1:$dagster_port/server_info"
echo "Dagster  http://127.0.0.1:$dagster_port      MLflow  http://127.0.0.1:$mlflow_port      (Ctrl-C stops both)"
wait
