"""Self-contained bundle of a model for videos: network, preprocessing settings, detector, enhancer.

Weights are safetensors, loaded without pickle, and every file is checked by its sha256 before it is opened. Which
version of the registry carries a bundle belongs to `nrdfer.registry`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import WeightsError
from nrdfer.models.trained_files import LAST, MODEL, NETWORK
from nrdfer.predict.asked import WINDOWS
from nrdfer.predict.crops import Cropper
from nrdfer.predict.model import Origin, load_trained
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.windows import WindowSettings
from nrdfer.preprocessing.spec import FILE, Preprocessing, WeightsFile
from nrdfer.store import file_sha256
from nrdfer.weights.safetensors_file import save_safetensors

CONTENTS = "bundle.json"  # name of a part -> its file and sha256
PARTS = ("settings", "weights", "preprocessing", "retinaface", "enlightengan", "network")
_OPTIONAL = {"retinaface", "enlightengan", "network"}  # with another package's detector there is no RetinaFace


def write_bundle(checkpoint: Path, preprocessing: Preprocessing, out: Path) -> dict[str, str]:
    """Gather a bundle in a folder.

    Args:
        checkpoint: folder with ``model.json`` and ``last.safetensors``.
        preprocessing: that of the training.
        out: folder to fill; made if missing.

    Returns:
        The `artifacts` of ``mlflow.pyfunc.log_model``: name of a part -> path of its file. Without brightening there is
        no ``enlightengan``, and with a detector of another package no ``retinaface``.

    Raises:
        WeightsError: a file is missing or is not what it should be.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = {"settings": out / MODEL, "weights": out / LAST, "preprocessing": out / FILE}
    for part in ("settings", "weights"):
        source = checkpoint / files[part].name
        if not source.is_file():
            raise WeightsError(f"{checkpoint} is not a trained network: {source.name} missing")
        shutil.copyfile(source, files[part])
    if (checkpoint / NETWORK).is_file():  # for reading: no bundle is loaded by it
        files["network"] = out / NETWORK
        shutil.copyfile(checkpoint / NETWORK, files["network"])
    if preprocessing.retinaface is not None:
        files["retinaface"] = _detector(preprocessing.retinaface, out / "retinaface.safetensors")
    if preprocessing.enlightengan is not None:
        files["enlightengan"] = _enhancer(preprocessing, out / "enlightengan.safetensors")
    preprocessing.write(files["preprocessing"])
    return _write_contents(files, out)


def replace_detector(bundle: Path, preprocessing: Preprocessing, out: Path) -> dict[str, str]:
    """Copy a bundle to another folder, with another RetinaFace.

    Args:
        bundle: folder that `write_bundle` filled.
        preprocessing: its own, with the other detector.
        out: folder to fill; made if missing.

    Returns:
        As `write_bundle`.

    Raises:
        WeightsError: a file is missing, or the detector's weights cannot be found or used.
        ValueError: `preprocessing` has no RetinaFace.
    """
    if preprocessing.retinaface is None:
        raise ValueError("preprocessing with the detector of another package has no RetinaFace")
    out.mkdir(parents=True, exist_ok=True)
    files = {}
    for part, path in _checked(bundle_in(bundle)).items():
        if part != "retinaface":
            files[part] = out / path.name
            shutil.copyfile(path, files[part])
    files["retinaface"] = _detector(preprocessing.retinaface, out / "retinaface.safetensors")
    preprocessing.write(files["preprocessing"])
    return _write_contents(files, out)


def _write_contents(files: Mapping[str, Path], out: Path) -> dict[str, str]:
    """Write the list of a bundle's files with their sha256; the result of `write_bundle`."""
    contents = {part: {"file": path.name, "sha256": file_sha256(path)} for part, path in files.items()}
    write_whole(out / CONTENTS, (json.dumps(contents, indent=1) + "\n").encode())
    return {**{part: str(path) for part, path in files.items()}, "contents": str(out / CONTENTS)}


def load_bundle(
    artifacts: Mapping[str, str],
    windows: WindowSettings | None = None,
    *,
    device: str = "cpu",
    answer: str = WINDOWS,
) -> Predictor:
    """A predictor made only from a bundle's files.

    Args:
        artifacts: as `write_bundle` returned them, or as MLflow hands them to a model's ``load_context``.
        windows: settings of the timeline.
        device: "cpu", "cuda" or "auto".
        answer: what the emotion of a whole video is: one of `nrdfer.predict.asked.KINDS`.

    Raises:
        WeightsError: a file is missing, has another sha256, or is no safetensors of the right network.
    """
    files = _checked(artifacts)
    origin = Origin("bundle", file_sha256(files["settings"]), file_sha256(files["weights"]))
    model = load_trained(files["settings"], files["weights"], origin)
    model = replace(model, preprocessing=Preprocessing.read(files["preprocessing"]), note="")
    if model.preprocessing.retinaface is not None and "retinaface" not in files:
        raise WeightsError(f"the bundle in {files['settings'].parent} lacks its detector; register it again")
    cropper = Cropper.load(
        model.preprocessing,
        device=device,
        retinaface=files.get("retinaface"),
        enlightengan=files.get("enlightengan"),
    )
    return Predictor(model, cropper, windows, device=device, answer=answer)


def bundle_in(folder: Path) -> dict[str, str]:
    """Artifacts of the bundle in a folder.

    Raises:
        WeightsError: it does not.
    """
    if not (folder / CONTENTS).is_file():
        raise WeightsError(f"{folder} holds no {CONTENTS}; it was not made by nrdfer.serving.video_bundle.write_bundle")
    parts = _read_contents(folder / CONTENTS)
    return {**{part: str(folder / entry["file"]) for part, entry in parts.items()}, "contents": str(folder / CONTENTS)}


def _read_contents(path: Path) -> dict[str, dict[str, str]]:
    try:
        contents = json.loads(path.read_text())
        parts = {part: {"file": str(entry["file"]), "sha256": str(entry["sha256"])} for part, entry in contents.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path} does not list a bundle's files: {error!r}") from error
    unknown = sorted(set(parts) - set(PARTS))
    missing = sorted(set(PARTS) - _OPTIONAL - set(parts))
    odd = [entry["file"] for entry in parts.values() if Path(entry["file"]).name != entry["file"]]
    if unknown or missing or odd:
        problems = "; ".join(
            f"{what} {', '.join(names)}"
            for what, names in (("unknown:", unknown), ("missing:", missing), ("outside of the folder:", odd))
            if names
        )
        raise WeightsError(f"{path} does not list a bundle's files ({problems})")
    return parts


def _checked(artifacts: Mapping[str, str]) -> dict[str, Path]:
    if "contents" not in artifacts:
        raise WeightsError(f"the model's artifacts lack {CONTENTS}; register it again with write_bundle")
    files = {}
    for part, entry in _read_contents(Path(artifacts["contents"])).items():
        if part not in artifacts:
            raise WeightsError(f"the model's artifacts lack {part} ({entry['file']})")
        path = Path(artifacts[part])
        if not path.is_file():
            raise WeightsError(f"{path} is missing; it was registered with sha256 {entry['sha256']}")
        if (found := file_sha256(path)) != entry["sha256"]:
            raise WeightsError(
                f"{path} is not the file that was registered: its sha256 is {found}, expected {entry['sha256']}; "
                "nothing of it was loaded"
            )
        files[part] = path
    return files


def _detector(retinaface: WeightsFile, target: Path) -> Path:
    from nrdfer.faces.load_detector import load_detector

    source = retinaface.locate("retinaface")
    detector = load_detector(source, convention=retinaface.convention)  # tests unknown weights on faces
    if source.suffix == ".safetensors":
        shutil.copyfile(source, target)
        return target
    about = {"format": "nrdfer-retinaface", "convention": detector.convention.name, "source": file_sha256(source)}
    save_safetensors(target, detector.net.state_dict(), about)
    return target


def _enhancer(preprocessing: Preprocessing, target: Path) -> Path:
    from nrdfer.enhance.checkpoints import FORMAT, load_generator

    if preprocessing.enlightengan is None:
        raise ValueError("preprocessing without brightening has no enhancer")
    source = preprocessing.enlightengan.locate("enlightengan")
    generator = load_generator(source)
    if source.suffix == ".safetensors":
        shutil.copyfile(source, target)
        return target
    save_safetensors(target, generator.state_dict(), {"format": FORMAT, "source": file_sha256(source)})
    return target
