"""The MLflow model registry: one version a trained checkpoint, with the tags that lead back to its making.

A version is identified by the digest of its checkpoint, so registering the same checkpoint again finds the version
that exists. Aliases point at versions: ``fd1`` .. ``fd5`` for the folds, ``champion`` for the best honest figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nrdfer import paths
from nrdfer.errors import WeightsError
from nrdfer.tracking import Tracking

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
TAG_CHECKPOINT = "nrdfer.checkpoint_digest"


@dataclass(frozen=True)
class Registered:
    """One registered version."""

    name: str
    version: str
    created: bool  # False: the version was there already

    @property
    def uri(self) -> str:
        """``models:/<name>/<version>``."""
        return f"models:/{self.name}/{self.version}"


def registered_name(network: str, corpus: str) -> str:
    """Name of a registered model: the network's in `nrdfer.models.registry` and the corpus's, ``nr-dfernet-dfew``."""
    return f"{network}-{corpus}"


def find_version(tracking: Tracking, name: str, checkpoint_digest: str) -> ModelVersion | None:
    """The version made from a checkpoint, if it is registered."""
    found = tracking.client.search_model_versions(f"name = '{name}'")
    for version in found:
        if version.tags.get(TAG_CHECKPOINT) == checkpoint_digest:
            return version
    return None


def register(
    tracking: Tracking,
    name: str,
    run_id: str,
    checkpoint: Path,
    checkpoint_digest: str,
    *,
    image_size: int,
    tags: Mapping[str, str],
    description: str,
) -> Registered:
    """Register the checkpoint folder (``model.json``, ``last.safetensors``) as a version of `name`.

    Args:
        tracking: the MLflow store.
        name: registered model's name.
        run_id: MLflow run that trained it.
        checkpoint: folder with the weights and the settings that rebuild the network.
        checkpoint_digest: content digest of that folder; the identity of the version.
        image_size: side of the crops the pipeline feeds, pixels; part of the signature.
        tags: lineage tags of the version.
        description: text that the registry's page shows.
    """
    import mlflow
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    # Two folds that register at once would race for the next version number.
    with paths.file_lock(paths.home() / "registry.lock"):
        existing = find_version(tracking, name, checkpoint_digest)
        if existing is not None:
            return Registered(name, str(existing.version), created=False)
        client = tracking.client
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description=description.splitlines()[0])
        spec = TensorSpec(np.dtype(np.float32), (-1, 16, 3, image_size, image_size), name="clip")
        info = None
        mlflow.set_tracking_uri(tracking.uri)
        with tracking.adding(run_id), mlflow.start_run(run_id=run_id):
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(__file__).parent / "serving" / "model_from_code.py"),
                artifacts={
                    "settings": str(checkpoint / "model.json"),
                    "weights": str(checkpoint / "last.safetensors"),
                },
                signature=ModelSignature(inputs=Schema([spec])),
                pip_requirements=["nrdfer"],
            )
        version = client.create_model_version(
            name,
            info.model_uri,
            run_id=run_id,
            tags={**tags, TAG_CHECKPOINT: checkpoint_digest},
            description=description,
            model_id=info.model_id,
        )
        return Registered(name, str(version.version), created=True)


def point_alias(tracking: Tracking, name: str, alias: str, version: str) -> None:
    """Point an alias at a version (a no-op if it already does)."""
    tracking.client.set_registered_model_alias(name, alias, version)


def find_weights(model: str) -> tuple[Path, Path]:
    """The description (``model.json``) and the weights of a trained network.

    Args:
        model: a registered version's address (``models:/nr-dfernet-dfew@champion``), or a folder.

    Raises:
        WeightsError: there is no such version, or the folder holds no trained network.
    """
    folder = Path(model)
    if model.startswith("models:/"):
        import mlflow
        from mlflow.exceptions import MlflowException

        mlflow.set_tracking_uri(Tracking().uri)
        try:
            folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=model)) / "artifacts"
        except (MlflowException, OSError) as error:
            raise WeightsError(
                f"no model {model} in this project's registry ({error}); `mlflow ui` shows what is there, and "
                "`dagster job execute -j full_reproduction` registers models"
            ) from error
    found = folder / "model.json", folder / "last.safetensors"
    missing = [path.name for path in found if not path.is_file()]
    if missing:
        raise WeightsError(f"{folder} is no trained network: {' and '.join(missing)} missing")
    return found
