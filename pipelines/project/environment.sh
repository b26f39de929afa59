# The environment of a project's commands, for bash and zsh. Needs _NRDFER_ROOT, the whole path of the project's folder.
# `nrdfer run`, `reproduce` and `dev` need none of it: pipelines/project/environment.py sets the same for them.

# `dagster job execute` finds its code location in this variable only; `dagster dev` reads workspace.yaml, and the
# servers it starts refuse to have both
export DAGSTER_MODULE_NAME=pipelines.definitions
dagster() {
  if [ ! -w . ] && [ -z "${DAGSTER_HOME:-}" ]; then
    echo "dagster keeps its history in this folder ($PWD), which this user may not write. Make it writable, or work in a" \
      "copy of the project that is yours." >&2
    return 1
  fi
  # Dagster would say before every run that another program will replace its commands, and, of a folder whose
  # dagster.yaml says where everything is kept, that it keeps everything in a temporary one
  local _nrdfer_home="${DAGSTER_HOME:-}" _nrdfer_quiet="${PYTHONWARNINGS:-}" _nrdfer_name
  if [ -z "$_nrdfer_home" ] && [ -f dagster.yaml ]; then _nrdfer_home=$PWD; fi
  for _nrdfer_name in job_execute_command dev_command asset_materialize_command definitions_validate_command; do
    _nrdfer_quiet="${_nrdfer_quiet:+$_nrdfer_quiet,}ignore:Function \`$_nrdfer_name\` is superseded"
  done
  case "${1:-} ${2:-}" in
    # its runs are started by `dagster dev`, whose history it finds by the folder of dagster.yaml only
    "job backfill") set -- env -u DAGSTER_MODULE_NAME DAGSTER_HOME="${DAGSTER_HOME:-$_NRDFER_ROOT}" dagster "$@" ;;
    "job "*) set -- env ${_nrdfer_home:+"DAGSTER_HOME=$_nrdfer_home"} dagster "$@" ;;
    *) set -- env -u DAGSTER_MODULE_NAME ${_nrdfer_home:+"DAGSTER_HOME=$_nrdfer_home"} dagster "$@" ;;
  esac
  PYTHONWARNINGS="$_nrdfer_quiet" "$@"
}
# your own settings stay; what the activation of another copy of the project has set does not
if [ -z "${NRDFER_HOME:-}" ] || [ "$NRDFER_HOME" = "${_NRDFER_HOME_SET:-}" ]; then
  NRDFER_HOME="$_NRDFER_ROOT/.nrdfer"
  _NRDFER_HOME_SET=$NRDFER_HOME
fi
if [ -z "${MLFLOW_TRACKING_URI:-}" ] || [ "$MLFLOW_TRACKING_URI" = "${_NRDFER_URI_SET:-}" ]; then
  _NRDFER_QUOTED=${NRDFER_HOME//\%/%25} # what would mean something in an address
  MLFLOW_TRACKING_URI="sqlite:///${_NRDFER_QUOTED//\?/%3F}/mlflow.db"
  unset _NRDFER_QUOTED
  _NRDFER_URI_SET=$MLFLOW_TRACKING_URI
fi
export NRDFER_HOME MLFLOW_TRACKING_URI _NRDFER_HOME_SET="${_NRDFER_HOME_SET:-}" _NRDFER_URI_SET="${_NRDFER_URI_SET:-}"
# `mlflow ui` finds the project's store by these two
export MLFLOW_BACKEND_STORE_URI="$MLFLOW_TRACKING_URI"
_NRDFER_QUOTED=${NRDFER_HOME//\%/%25}
_NRDFER_QUOTED=${_NRDFER_QUOTED//\#/%23}
export MLFLOW_DEFAULT_ARTIFACT_ROOT="file://${_NRDFER_QUOTED//\?/%3F}/mlartifacts"
unset _NRDFER_QUOTED
# nothing leaves this machine; Dagster's own telemetry is off in dagster.yaml, and this stops its uploading thread
export MLFLOW_DISABLE_TELEMETRY=true ORT_DISABLE_TELEMETRY=1 DO_NOT_TRACK=true DAGSTER_DISABLE_TELEMETRY=true
mkdir -p "$NRDFER_HOME"
