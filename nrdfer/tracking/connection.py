"""Connection to MLflow: made at first use, within seconds, with a clear message where it fails.

What is sent to MLflow belongs to ``client`` and ``values``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nrdfer.core import addresses, file_locks, paths
from nrdfer.core.errors import AddressError, TrackingError
from nrdfer.core.postgres import is_postgres
from nrdfer.core.redaction import scrub
from nrdfer.tracking.timeouts import brief_requests
from nrdfer.tracking.ui_urls import EXPERIMENT

# It would print addresses between a command's own output.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

#: Of the experiment: without it MLflow's page asks its reader what kind it is, and shows the views of language models.
TAG_KIND, KIND = "mlflow.experimentKind", "custom_model_development"
_LONG = 3.0  # seconds after which a waiting call is logged
_log = logging.getLogger(__name__)


class Connection:
    """One MLflow store. Cheap to construct: MLflow is imported, and its database made, at the first use."""

    def __init__(self, uri: str | None = None, artifacts: Path | None = None) -> None:
        self.uri = addresses.usable(uri, paths.home() / "mlflow.db") if uri else paths.tracking_uri()
        self.artifacts = artifacts or paths.tracking_artifacts()
        self._client: MlflowClient | None = None
        self._experiment_id = ""

    @property
    def address(self) -> str:
        """The address for display and storage, without a password."""
        return addresses.displayed(self.uri)

    @property
    def client(self) -> MlflowClient:
        """The MLflow client; the first call creates the database and the experiment.

        Several processes creating one SQLite database at once crash MLflow, hence the lock and `make_database`.
        """
        if self._client is None:
            import mlflow
            from mlflow.tracking import MlflowClient

            from nrdfer.tracking.database import make_database
            from nrdfer.tracking.server_database import make_tables

            logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # it announces each new table

            with file_locks.held(paths.home() / "mlflow.lock"), brief_requests(), self._connecting():
                if is_postgres(self.uri):
                    make_tables(self.uri, self._artifact_root() or "")
                make_database(self.uri)
                self._relocate()
                mlflow.set_tracking_uri(self.uri)
                client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
                experiment = client.get_experiment_by_name(EXPERIMENT)
                if experiment is not None:
                    self._experiment_id = experiment.experiment_id
                    if TAG_KIND not in experiment.tags:
                        client.set_experiment_tag(self._experiment_id, TAG_KIND, KIND)
                else:
                    self._experiment_id = _create_experiment(client, self._artifact_root())
            self._client = client
        return self._client

    def _artifact_root(self) -> str | None:
        """Where the experiment's files belong; None if a server of MLflow's decides.

        Of a database on a server: the object store that ``MLFLOW_DEFAULT_ARTIFACT_ROOT`` names, else the project's
        folder, because MLflow's own choice is one in the working directory. A folder in that variable is the one of
        the activated environment, which may be on this machine alone.
        """
        if self.uri.startswith(addresses.WEB):
            return None
        given = os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT", "").strip()
        is_store = "://" in given and not given.startswith("file:")
        return given if is_store and not self.uri.startswith("sqlite:") else self.artifacts.as_uri()

    @contextlib.contextmanager
    def _connecting(self) -> Iterator[None]:
        """Log what is waited for if it takes long, and explain an address that cannot be used."""
        notice = threading.Timer(_LONG, lambda: _log.warning("waiting for MLflow at %s", self.address))
        notice.daemon = True
        notice.start()
        try:
            yield
        except Exception as error:
            scrub(error)
            if isinstance(error, AddressError):
                raise
            if wrong := _address_in_words(self.uri, error):
                raise AddressError(f"MLFLOW_TRACKING_URI={self.address}: {wrong}") from error
            raise
        finally:
            notice.cancel()

    def _relocate(self) -> None:
        """Update the paths in the project's own database after the project's folder was moved."""
        from nrdfer.tracking.relocation import relocate

        database = paths.home() / "mlflow.db"
        named = not os.environ.get("MLFLOW_TRACKING_URI") or str(database) in self.uri
        if self.uri.startswith("sqlite:") and named:
            relocate(database, self.artifacts, EXPERIMENT)

    @property
    def experiment_id(self) -> str:
        """Id of the project's experiment."""
        _ = self.client
        return self._experiment_id

    def require(self, otherwise: str) -> None:
        """Check that MLflow answers, within seconds.

        Args:
            otherwise: what cannot be done without it; begins the error's message.

        Raises:
            TrackingError: it does not answer.
        """
        from mlflow.exceptions import MlflowException

        try:
            with brief_requests():
                self.client.get_experiment(self.experiment_id)
        except AddressError:
            raise
        except (MlflowException, OSError) as error:
            scrub(error)
            raise TrackingError(
                f"{otherwise}: MLflow at {self.address} does not answer ({_short(error)}). Start its server, or unset "
                "MLFLOW_TRACKING_URI to use this project's own file, and run this step again"
            ) from error

    def find(self, **tags: str) -> list[Run]:
        """Runs that carry all the given tags (``__`` in a keyword means a dot), newest first."""
        terms = [f"tags.`{key.replace('__', '.')}` = '{value}'" for key, value in tags.items()]
        try:
            return list(
                self.client.search_runs([self.experiment_id], " and ".join(terms), order_by=["start_time DESC"])
            )
        except Exception as error:
            scrub(error)
            raise


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _address_in_words(uri: str, error: Exception) -> str | None:
    """Advice on an address that cannot be used; None if the address is not the problem."""
    if isinstance(error, ModuleNotFoundError) and not uri.startswith(("http", "sqlite")):
        if "psycopg" in str(error):
            return (
                f"the PostgreSQL driver is not installed ({error}); pip install 'nrdfer[postgres]' and write "
                "postgresql+psycopg2://..., or install 'psycopg[binary]' and write postgresql+psycopg://..."
            )
        return f"the driver of this database is not installed ({error}); install it, or use another address"
    scheme = uri.partition(":")[0]
    known = ("http", "https", "sqlite", "file", "postgresql", "mysql", "mssql", "databricks")
    if "://" not in uri or scheme.partition("+")[0] not in known:
        return (
            "this is not an address that MLflow understands. Write http://host:port of a server, or "
            "sqlite:////folder/mlflow.db of a file, or postgresql+psycopg2://host/database"
        )
    if isinstance(error, ValueError) or type(error).__name__ in ("ArgumentError", "InvalidURL"):
        return f"this address cannot be read ({str(error)[:200]})"
    return None


def _create_experiment(client: MlflowClient, location: str | None) -> str:
    """Create the experiment, unless a process of another project folder, at the same server, has just done so."""
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(EXPERIMENT, artifact_location=location, tags={TAG_KIND: KIND}))
    except MlflowException:
        made = client.get_experiment_by_name(EXPERIMENT)
        if made is None:
            raise
        return str(made.experiment_id)
