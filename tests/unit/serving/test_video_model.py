"""The served chain answers like the predictor, from files alone, and loads nothing but what was registered."""

from __future__ import annotations

import base64
import json
import os
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import WeightsError
from nrdfer.predict.model import open_model
from nrdfer.predict.predictor import Predictor
from nrdfer.serving.loader import MODULE
from nrdfer.serving.video_bundle import CONTENTS, bundle_in, load_bundle, write_bundle
from nrdfer.serving.video_model import VideoModel, local_file, video_signature

pytestmark = pytest.mark.slow

LOGITS = [f"logit_{name}" for name in EMOTIONS]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, network_folder: Path) -> dict[str, str]:
    for name in ("NRDFER_PROFILE", "NRDFER_PROFILES", "NRDFER_WEIGHTS"):
        os.environ.pop(name, None)
    out = tmp_path_factory.mktemp("bundle")
    return write_bundle(network_folder, open_model(str(network_folder)).preprocessing, out)


@pytest.fixture(scope="module")
def served(bundle: dict[str, str], acted_video: Path) -> VideoModel:
    model = VideoModel()
    folders = {"folders": [str(acted_video.parent), "/nowhere"]}
    model.load_context(SimpleNamespace(artifacts=bundle, model_config=folders))
    return model


def test_it_answers_like_the_predictor(served: VideoModel, network_folder: Path, acted_video: Path) -> None:
    offline = Predictor.load(open_model(str(network_folder)), device="cpu").predict(acted_video)
    assert offline.answer is not None
    rows = served.predict(
        None, pd.DataFrame({"path": [str(acted_video), None], "video": [None, acted_video.read_bytes()]})
    )
    assert rows["status"].tolist() == ["ok", "ok"]
    for _, row in rows.iterrows():
        np.testing.assert_allclose(row[LOGITS].to_numpy(float), offline.answer.logits, atol=1e-5, rtol=0)
        assert row["emotion"] == offline.answer.emotion
        assert (row["frames"], row["frames_with_face"]) == (100, offline.frames_with_face)
        timeline = row["timeline"]
        assert [person["person"] for person in row["people"]] == [person.number for person in offline.people]
        assert [w["start_s"] for w in timeline] == [w.window.start for w in offline.windows]
        assert timeline[0]["answer"]["logits"]["fear"] == pytest.approx(offline.windows[0].answer.logits[6], abs=1e-5)  # type: ignore[union-attr]


def test_bad_videos_are_rows(served: VideoModel, acted_video: Path) -> None:
    rows = served.predict(
        None,
        [
            {"video": acted_video.read_bytes()[:-9000]},
            {"path": "/nowhere/a.mp4"},
            {"path": "http://localhost/a.mp4"},
            {"path": None, "video": None},
            {"video": "no base64!"},
            {"path": str(acted_video), "video": b"x"},
        ],
    )
    assert rows["status"].tolist() == ["unreadable"] * 6
    words = [
        "the video: the file is cut short",
        "cannot be opened",
        "is an address",
        "gives neither",
        "not base64",
        "gives both",
    ]
    for reason, word in zip(rows["reason"], words, strict=True):
        assert word in reason
    assert rows["emotion"].isna().all()
    json.dumps(rows.to_dict("records"), allow_nan=False)  # none of the numbers that are not there is NaN
    assert rows[LOGITS].isna().all(axis=None)


@pytest.mark.parametrize(
    "given", ["concat:a.mp4|b.mp4", "data:video/mp4;base64,AAAA", "pipe:0", "-i", "file:///etc/passwd", "a\0b"]
)
def test_only_names_of_local_files_are_opened(served: VideoModel, given: str) -> None:
    (row,) = served.predict(None, given).to_dict("records")
    assert row["status"] == "unreadable"
    assert "opened" in row["reason"]


def test_a_file_with_a_colon_in_its_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("at:noon.mp4", "-i.mp4"):
        (tmp_path / name).write_bytes(b"")
        assert local_file(name, [str(tmp_path)]).is_file()
    assert local_file(r"C:\videos\a.mp4", [str(tmp_path)]) == tmp_path / r"C:\videos\a.mp4"


def test_a_table_without_either_column_is_refused(served: VideoModel) -> None:
    with pytest.raises(ValueError, match=r"has the column path .* this one has clip"):
        served.predict(None, pd.DataFrame({"clip": [1]}))


def test_mlflow_saves_loads_and_serves_it(bundle: dict[str, str], acted_video: Path, tmp_path: Path) -> None:
    """As a server would: a request's JSON, decoded by the signature, into the model that was loaded from files."""
    import mlflow

    files = Path(bundle["settings"]).parent
    mlflow.pyfunc.save_model(
        tmp_path / "saved",
        loader_module=MODULE,
        data_path=str(files),
        signature=video_signature(EMOTIONS),
        pip_requirements=["nrdfer"],
        model_config={"folders": []},
    )
    kinds = {path.suffix for path in (tmp_path / "saved").rglob("*") if path.is_file()}
    assert not {".pkl", ".py"} & kinds
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "saved"), model_config={"folders": [str(acted_video.parent)]})
    request = {"dataframe_records": [{"video": base64.b64encode(acted_video.read_bytes()).decode()}]}
    table = _parsed(request, loaded)
    assert isinstance(table.iloc[0]["video"], bytes)
    answer = loaded.predict(table)
    direct = loaded.predict(pd.DataFrame({"path": [str(acted_video)]}))
    np.testing.assert_allclose(answer[LOGITS].to_numpy(float), direct[LOGITS].to_numpy(float), atol=1e-5)
    assert answer["status"].tolist() == ["ok"]
    refused = mlflow.pyfunc.load_model(str(tmp_path / "saved")).predict(pd.DataFrame({"path": [str(acted_video)]}))
    assert "opens no files by their path" in refused["reason"][0]


def _parsed(request: dict[str, Any], model: Any) -> pd.DataFrame:
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    return infer_and_parse_data(request, model.metadata.get_input_schema())


def test_a_bundle_needs_nothing_else(bundle: dict[str, str]) -> None:
    folder = Path(bundle["settings"]).parent
    assert bundle_in(folder) == bundle
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    with pytest.raises(WeightsError, match="holds no bundle"):
        bundle_in(folder.parent)


@pytest.mark.parametrize("part", ["settings", "weights", "preprocessing", "retinaface", "enlightengan"])
def test_a_changed_file_is_refused_by_name(bundle: dict[str, str], part: str, tmp_path: Path) -> None:
    changed = tmp_path / Path(bundle[part]).name
    content = bytearray(Path(bundle[part]).read_bytes())
    content[-3] ^= 1
    changed.write_bytes(content)
    with pytest.raises(
        WeightsError, match=rf"{changed.name} is not the file that was registered.*nothing of it was loaded"
    ):
        load_bundle({**bundle, part: str(changed)})


class _Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (Path.touch, (self.target,))


def test_a_pickle_in_place_of_weights_is_not_opened(bundle: dict[str, str], tmp_path: Path) -> None:
    """Even where whoever replaced it has changed the list of hashes, too."""
    from nrdfer.store import file_sha256

    went_off = tmp_path / "went off"
    bomb = tmp_path / "last.safetensors"
    bomb.write_bytes(pickle.dumps(_Bomb(went_off)))
    with pytest.raises(WeightsError, match="is not the file that was registered"):
        load_bundle({**bundle, "weights": str(bomb)})
    contents = json.loads(Path(bundle["contents"]).read_text())
    for part in ("weights", "retinaface", "enlightengan"):
        forged = {**contents, part: {"file": Path(bundle[part]).name, "sha256": file_sha256(bomb)}}
        (tmp_path / CONTENTS).write_text(json.dumps(forged))
        with pytest.raises(WeightsError, match="cannot be read"):
            load_bundle({**bundle, part: str(bomb), "contents": str(tmp_path / CONTENTS)})
    assert not went_off.exists()
    pickle.loads(bomb.read_bytes())  # noqa: S301  (it would have)
    assert went_off.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights": {"file": "../../etc/passwd", "sha256": "0"}}, "outside of the folder"),
        ({"code": {"file": "a.py", "sha256": "0"}}, "unknown: code"),
        ({"weights": None}, "does not list a bundle's files"),
    ],
)
def test_a_list_that_says_something_else_is_refused(
    bundle: dict[str, str], change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    contents = json.loads(Path(bundle["contents"]).read_text())
    (tmp_path / CONTENTS).write_text(json.dumps({**contents, **change}))
    with pytest.raises(WeightsError, match=words):
        load_bundle({**bundle, "contents": str(tmp_path / CONTENTS)})
    lacking = {part: path for part, path in bundle.items() if part != "retinaface"}
    with pytest.raises(WeightsError, match="lack retinaface"):
        load_bundle(lacking)


def test_published_weights_become_safetensors_that_see_the_same(
    shared_dir: Path, network_folder: Path, tmp_path: Path
) -> None:
    """The detector's ``.pth`` of another convention keeps it."""
    published = shared_dir / "weights" / "retinaface_mobilenet0.25.pth"
    preprocessing, _ = open_model(str(network_folder)).preprocessing.overridden(
        retinaface=str(published), enhance="none"
    )
    artifacts = write_bundle(network_folder, preprocessing, tmp_path)
    assert "enlightengan" not in artifacts
    clip = shared_dir / "clips" / "pyfeat_single_face.mp4"
    rows = load_bundle(artifacts).predict(clip)
    assert rows.frames_with_face == 72
    box = rows.records[36].box
    assert box is not None
    assert 0 < box[0] < box[2] < 640
