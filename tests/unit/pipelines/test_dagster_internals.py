"""Dagster's private names: each still has the shape that is relied on, and one module imports them all."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest

PROJECT = Path(__file__).resolve().parents[3]
FENCE = PROJECT / "pipelines" / "dagster_internals.py"


@dataclass(frozen=True)
class Call:
    """How a function is called: so many positional arguments, and these keywords."""

    positional: int = 0
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Name:
    """A name, the files of ``pipelines`` that use it, and what they use of it; the call "" is of the name itself."""

    module: str
    name: str
    used: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    calls: dict[str, Call] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


IMPORTED = (
    Name(
        "dagster._core.execution.context.system",
        "PlanOrchestrationContext",
        ("before_steps", "cluster_steps", "engines", "executor", "mlflow_run", "step_needs"),
        attributes=("dagster_run", "instance", "job", "log"),
    ),
    Name(
        "dagster._core.execution.plan.plan",
        "ExecutionPlan",
        ("before_steps", "cluster_steps", "engines", "executor"),
        attributes=("step_keys_to_execute",),
    ),
    Name(
        "dagster._core.execution.plan.objects",
        "StepRetryData",
        ("cluster_steps",),
        calls={"": Call(0, ("error", "seconds_to_wait"))},
    ),
    Name(
        "dagster._core.execution.retries",
        "RetryMode",
        ("cluster_steps", "executor"),
        attributes=("disabled",),
        calls={"from_config": Call(1)},
    ),
    Name(
        "dagster._core.executor.step_delegating",
        "StepDelegatingExecutor",
        ("cluster_steps",),
        calls={
            "": Call(
                1,
                (
                    "retries",
                    "check_step_health_interval_seconds",
                    "max_concurrent",
                    "tag_concurrency_limits",
                    "should_verify_step",
                ),
            ),
            "execute": Call(3),
            "log_failure_or_retry_event_after_error": Call(4),
            "_pop_events": Call(4),
        },
    ),
    Name(
        "dagster._core.executor.step_delegating",
        "StepHandler",
        ("slurm", "step_submission"),
        attributes=("name",),
        calls={"launch_step": Call(2), "check_step_health": Call(2), "terminate_step": Call(2)},
    ),
    Name(
        "dagster._core.executor.step_delegating",
        "StepHandlerContext",
        ("ray_jobs", "slurm", "step_submission"),
        attributes=("execute_step_args", "step_tags"),
        calls={"get_step_context": Call(2)},
    ),
    Name(
        "dagster._core.executor.step_delegating",
        "CheckStepHealthResult",
        ("ray_jobs", "slurm", "step_submission"),
        calls={"healthy": Call(), "unhealthy": Call(1)},
    ),
    Name(
        "dagster._core.instance.ref",
        "InstanceRef",
        ("history", "instance"),
        calls={"from_dir": Call(1, ("config_dir",)), "config_defaults": Call(1)},
    ),
    Name(
        "dagster._core.types.loadable_target_origin",
        "LoadableTargetOrigin",
        ("run_origin",),
        calls={"": Call(0, ("executable_path", "module_name", "working_directory"))},
    ),
    Name("dagster._core.remote_origin", "ManagedGrpcPythonEnvCodeLocationOrigin", ("run_origin",), (), {"": Call(2)}),
    Name(
        "dagster._core.remote_origin",
        "RemoteRepositoryOrigin",
        ("run_origin",),
        calls={"": Call(2), "get_job_origin": Call(2)},
    ),
    Name("dagster._serdes", "ConfigurableClassData", ("storage", "postgres_storage", "shared_folders")),
    Name(
        "dagster._core.storage.local_compute_log_manager",
        "LocalComputeLogManager",
        ("shared_folders",),
        calls={"": Call(0, ("base_dir", "inst_data", "polling_timeout"))},
    ),
    Name("dagster._core.storage.root", "LocalArtifactStorage", ("shared_folders",), (), {"": Call(2)}),
    Name(
        "dagster._core.storage.sqlite_storage",
        "DagsterSqliteStorage",
        ("storage",),
        calls={"from_config_value": Call(2), "from_local": Call(0, ("inst_data", "base_dir"))},
    ),
    Name(
        "dagster._cli.utils",
        "get_possibly_temporary_instance_for_cli",
        ("repair", "job_execution"),
        calls={"": Call(1, ("logger",))},
    ),
    Name(
        "dagster._core.definitions.reconstruct",
        "ReconstructableRepository",
        ("job_execution",),
        calls={"for_module": Call(3), "get_definition": Call(1), "get_reconstructable_job": Call(2)},
    ),
    Name("dagster._core.execution.plan.instance_concurrency_context", "InstanceConcurrencyContext", ("pool_claims",)),
    Name("dagster._utils.interrupts", "capture_interrupts", ("job_execution",), calls={"": Call()}),
)
#: What is reached through public objects, although Dagster documents it nowhere.
REACHED = (
    Name(
        "dagster._core.storage.event_log",
        "EventLogStorage",
        ("repair",),
        attributes=("supports_global_concurrency_limits", "get_concurrency_keys"),
        calls={"free_concurrency_slots_for_run": Call(2), "get_concurrency_infos": Call(2)},
    ),
    Name(
        "dagster",
        "DagsterInstance",
        ("history", "instance", "repair", "run_lease", "run_origin"),
        attributes=("event_log_storage", "run_storage"),
        calls={
            "add_run_tags": Call(3),
            "report_run_canceled": Call(3),
            "report_run_failed": Call(3),
            "from_ref": Call(1),
        },
    ),
    Name(
        "dagster",
        "DagsterEvent",
        ("cluster_steps", "executor", "ray_jobs", "slurm"),
        attributes=("asset_check_evaluation_data", "is_step_failure", "step_failure_data"),
        calls={"engine_event": Call(2), "step_retry_event": Call(2), "step_worker_starting": Call(3)},
    ),
    Name(
        "dagster._grpc.types",
        "ExecuteStepArgs",
        ("slurm",),
        attributes=("run_id", "step_keys_to_execute"),
        calls={"get_command_args": Call(1, ("skip_serialized_namedtuple",)), "get_command_env": Call(1)},
    ),
    Name("dagster._core.execution.plan.state", "KnownExecutionState", ("cluster_steps",), ("get_retry_state",)),
    Name("dagster._core.execution.plan.step", "ExecutionStep", ("slurm",), attributes=("key", "pool")),
    Name("dagster", "Executor", ("executor",), attributes=("retries",), calls={"execute": Call(3)}),
    Name(
        "dagster", "ExecutorDefinition", ("engines", "executor"), attributes=("config_schema", "executor_creation_fn")
    ),
    Name(
        "dagster",
        "DagsterRun",
        ("run_origin",),
        ("job_code_origin", "remote_job_origin"),
        {"tags_for_storage": Call(1), "with_job_origin": Call(2)},
    ),
    Name("dagster._core.storage.runs", "RunStorage", ("run_origin",), calls={"replace_job_origin": Call(3)}),
    Name("dagster", "validate_run_config", ("mlflow_run",), calls={"": Call(2)}),
)


@pytest.mark.parametrize("name", IMPORTED + REACHED, ids=str)
def test_the_name_has_the_shape_that_is_relied_on(name: Name) -> None:
    assert broken(name) == []


def broken(name: Name) -> list[str]:
    """What this release of Dagster lacks of a name, and who needs it."""
    where = ", ".join(f"pipelines/{file}.py" for file in name.used)
    told = f"dagster {dg.__version__}: {name} is used in {where}, through pipelines/dagster_internals.py if private; "
    try:
        found = getattr(importlib.import_module(name.module), name.name)
    except (ImportError, AttributeError) as error:
        return [f"{told}it is not there: {error}"]
    members = (*name.attributes, *name.calls)
    lacks = [f"{told}it has no {member}" for member in members if not has(found, member)]
    for method, call in name.calls.items():
        if has(found, method):
            signature = inspect.signature(getattr(found, method) if method else found)
            try:
                signature.bind(*[None] * call.positional, **dict.fromkeys(call.keywords))
            except TypeError as error:
                lacks.append(f"{told}{method or 'it'}{signature} cannot be called as {call}: {error}")
    return lacks


def has(found: object, attribute: str) -> bool:
    return not attribute or hasattr(found, attribute) or attribute in getattr(found, "__annotations__", {})


def test_what_an_upgrade_broke_is_told_with_the_files_that_use_it() -> None:
    (gone,) = broken(Name("dagster", "Gone", ("repair",)))
    assert "dagster.Gone is used in pipelines/repair.py" in gone and "not there" in gone
    other = Name("dagster", "DagsterInstance", ("storage",), ("no_such",), {"from_ref": Call(0, ("ref",))})
    first, second = broken(other)
    assert "it has no no_such" in first
    assert "from_ref(" in second and "cannot be called" in second


@pytest.mark.parametrize("name", IMPORTED, ids=str)
def test_the_files_that_use_a_name_are_the_ones_in_its_line(name: Name) -> None:
    files = (PROJECT / "pipelines").glob("*.py")
    users = {file.stem for file in files if file != FENCE and re.search(rf"\b{name.name}\b", file.read_text())}
    assert users == set(name.used)


@pytest.fixture(scope="module")
def internals() -> ModuleType:
    """Imported late: if a name is gone, its own test says so, and not only an error of this file."""
    return importlib.import_module("pipelines.dagster_internals")


def test_every_name_of_the_module_has_a_test(internals: ModuleType) -> None:
    imported = {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(FENCE.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dagster")
        for alias in node.names
    }
    assert imported == {(name.module, name.name) for name in IMPORTED}
    places = {"INFER_SCHEMAS", "LOADED_BY_STEPS", "MAKE_ENGINES", "MIGRATIONS", "MIRRORS"}
    assert set(internals.__all__) == {name.name for name in IMPORTED} | places


@pytest.mark.parametrize("name", IMPORTED, ids=str)
def test_the_module_hands_out_dagsters_own(name: Name, internals: ModuleType) -> None:
    assert getattr(internals, name.name) is getattr(importlib.import_module(name.module), name.name)


def test_modules_loaded_for_steps_are_there(internals: ModuleType) -> None:
    for module in internals.LOADED_BY_STEPS:
        try:
            importlib.import_module(module)
        except ImportError as error:
            pytest.fail(f"dagster {dg.__version__}: {module} is loaded in pipelines/fork_server.py; not there: {error}")


def test_another_name_is_refused(internals: ModuleType) -> None:
    with pytest.raises(AttributeError, match=r"pipelines\.dagster_internals has no attribute no_such_name"):
        _ = internals.no_such_name


def test_importing_it_loads_nothing_beside_dagster() -> None:
    code = "import sys, dagster; there = set(sys.modules); import pipelines.dagster_internals; "
    code += "print(sorted(set(sys.modules) - there))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pipelines', 'pipelines.dagster_internals']"


_PRIVATE = re.compile(r"\b(dagster(_\w+)?(\.\w+)*\._\w|dagster_shared\b)")


def private(source: str) -> list[str]:
    """Private modules of Dagster that a file imports, reaches as attributes or names in a string."""
    return [name for node in ast.walk(ast.parse(source)) for name in _names(node) if _PRIVATE.search(name)]


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names):
            yield from (f"{module}.{alias.name}" for alias in names)
        case ast.Attribute(value=ast.Name(id="dg" | "dagster"), attr=attribute):
            yield f"dagster.{attribute}"
        case ast.Constant(value=str(text)):
            yield text


@pytest.mark.parametrize(
    "source",
    [
        "import dagster._core.events",
        "from dagster._serdes import ConfigurableClassData",
        "from dagster import _check",
        "def f():\n    from dagster_shared.serdes import pack_value",
        "import dagster as dg\ndg._core.events",
        "names = ['x', 'dagster._core.storage.runs']",
        "import_module(f'dagster._core.{name}')",
        "from dagster_graphql._x import y",
    ],
)
def test_a_private_name_is_found(source: str) -> None:
    assert len(private(source)) == 1


def test_public_names_are_none() -> None:
    assert private("import dagster as dg\nfrom dagster import Executor\ndg.Executor\nx = 'dagster._'") == []


def test_no_other_file_uses_a_private_module_of_dagster() -> None:
    files = [path for room in ("assets", "pipelines") for path in (PROJECT / room).rglob("*.py")]
    assert len(files) > 20 and FENCE in files
    found = {str(path.relative_to(PROJECT)): private(path.read_text()) for path in files if path != FENCE}
    assert {path: names for path, names in found.items() if names} == {}, (
        "import it in pipelines/dagster_internals.py, and describe what is used of it in this test"
    )
