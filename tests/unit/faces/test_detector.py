"""The network's shape, loading of weights, and detection with the real ones."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from nrdfer.core.errors import WeightsError
from nrdfer.faces.backends import SeenNetwork, folded, make_engine
from nrdfer.faces.detector import FaceDetector
from nrdfer.faces.input_conventions import PYTORCH_RETINAFACE, RETINAFACE_PYTORCH, Convention
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.network import RetinaFaceNet
from nrdfer.faces.priors import prior_boxes


@pytest.fixture(scope="module")
def weights(shared_dir: Path) -> Path:
    return shared_dir / "weights" / "retinaface_mobilenet0.25.pth"


@pytest.fixture(scope="module")
def group(shared_dir: Path) -> np.ndarray:
    """A photo of three people, RGB, 720 pixels wide."""
    bgr = cv2.imread(str(shared_dir / "photos" / "fr_obama_and_biden.jpg"))
    assert bgr is not None
    small = cv2.resize(bgr, (720, round(720 * bgr.shape[0] / bgr.shape[1])), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[..., ::-1])


def small_net(seed: int = 0) -> RetinaFaceNet:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return RetinaFaceNet("mobilenet0.25")


@pytest.mark.parametrize(
    ("backbone", "tensors", "parameters"), [("mobilenet0.25", 300, 426_608), ("resnet50", 456, 27_293_600)]
)
def test_network_has_the_published_tensors(backbone: str, tensors: int, parameters: int) -> None:
    with torch.device("meta"):
        net = RetinaFaceNet(backbone)  # type: ignore[arg-type]
    assert len(net.state_dict()) == tensors
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert "ssh3.conv7x7_3.1.running_var" in net.state_dict()
    boxes, logits, points = net.eval()(torch.zeros(2, 3, 70, 101, device="meta"))
    n = len(prior_boxes(70, 101))
    assert (boxes.shape, logits.shape, points.shape) == ((2, n, 4), (2, n, 2), (2, n, 10))


@pytest.mark.parametrize("backbone", ["mobilenet0.25", "resnet50"])
def test_folding_batch_norms_changes_nothing_but_rounding(backbone: str) -> None:
    generator = torch.Generator().manual_seed(5)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = RetinaFaceNet(backbone).eval()  # type: ignore[arg-type]
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2, generator=generator)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5, generator=generator)  # type: ignore[union-attr]
    fast = folded(net)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fast.modules())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())
    x = torch.rand(1, 3, 64, 96, generator=generator)
    with torch.no_grad():
        for plain, quick in zip(net(x), fast(x), strict=True):
            torch.testing.assert_close(quick, plain, rtol=1e-3, atol=1e-4)


def test_unknown_backbone_is_refused() -> None:
    with pytest.raises(ValueError, match="resnet50"):
        RetinaFaceNet("vgg")  # type: ignore[arg-type]


def test_official_weights_find_everybody(weights: Path, group: np.ndarray) -> None:
    detector = load_detector(weights)
    assert detector.convention is PYTORCH_RETINAFACE
    faces = detector.detect(group)
    assert len(faces) == 3
    assert [f.score for f in faces] == sorted((f.score for f in faces), reverse=True)
    for found in faces:
        x1, y1, x2, y2 = found.box
        assert 0 <= x1 < x2 <= group.shape[1]
        assert 0 <= y1 < y2 <= group.shape[0]
        eyes, mouth = found.points[:2], found.points[3:]
        assert eyes[:, 1].max() < mouth[:, 1].min()
        assert eyes[0, 0] < eyes[1, 0]


def test_boxes_do_not_depend_on_the_size_the_detector_sees(weights: Path, group: np.ndarray) -> None:
    large = load_detector(weights, max_side=720).detect(group)[:2]
    small = load_detector(weights, max_side=400).detect(group)[:2]
    for a in large:
        nearest = min(small, key=lambda b: float(np.abs(a.box - b.box).sum()))
        assert np.abs(a.points - nearest.points).max() < 6


def test_batches_give_what_single_pictures_give(weights: Path, group: np.ndarray) -> None:
    detector = load_detector(weights)
    dark = (group * 0.15).astype(np.uint8)
    together = detector.detect_batch([group, dark, np.zeros_like(group)])
    assert [len(faces) for faces in together] == [3, 3, 0]
    for alone, batched in zip(detector.detect(dark), together[1], strict=True):
        np.testing.assert_allclose(alone.box, batched.box, atol=0.05)
    assert detector.detect_batch([]) == []
    with pytest.raises(ValueError, match="one shape"):
        detector.detect_batch([group, group[:100]])
    with pytest.raises(ValueError, match="uint8"):
        detector.detect(group.astype(np.float32))  # type: ignore[arg-type]


def test_conventions_feed_the_network_what_it_was_trained_with() -> None:
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[..., 0] = 200  # red
    seen: list[torch.Tensor] = []
    net = small_net()
    net.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    FaceDetector(net, PYTORCH_RETINAFACE, backend="torch").detect(rgb)
    FaceDetector(net, RETINAFACE_PYTORCH, backend="torch").detect(rgb)
    np.testing.assert_allclose(seen[0][0, :, 5, 5], [-104, -117, 200 - 123])
    expected = (np.array([200 / 255, 0, 0]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(seen[1][0, :, 5, 5], expected, rtol=1e-4)


def test_wild_outputs_never_become_faces() -> None:
    net = small_net()
    with torch.no_grad():
        for head in net.BboxHead:
            head.conv1x1.bias.fill_(float("nan"))  # type: ignore[union-attr, operator]
        for head in net.ClassHead:
            head.conv1x1.bias.copy_(torch.tensor([-50.0, 50.0, -50.0, 50.0]))  # type: ignore[union-attr, operator]
    assert FaceDetector(net, PYTORCH_RETINAFACE).detect(np.zeros((64, 64, 3), np.uint8)) == []


def test_pth_with_prefix_loads_once_the_convention_is_stated(tmp_path: Path) -> None:
    net = small_net()
    path = tmp_path / "own.pth"
    torch.save({f"module.{k}": v for k, v in net.state_dict().items()}, path)
    with pytest.raises(WeightsError, match="convention="):
        load_detector(path)
    with pytest.raises(WeightsError, match="not known"):
        load_detector(path, convention="rgb")
    detector = load_detector(path, convention="retinaface_pytorch", threshold=0.3, max_side=320, self_test=False)
    assert (detector.convention, detector.threshold, detector.max_side) == (RETINAFACE_PYTORCH, 0.3, 320)
    assert torch.equal(detector.net.state_dict()["fpn.merge1.0.weight"], net.state_dict()["fpn.merge1.0.weight"])


def test_own_safetensors_state_their_convention(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    tensors = dict(small_net().state_dict())
    metadata = {
        "format": "nrdfer-retinaface",
        "backbone": "mobilenet0.25",
        "convention": "pytorch_retinaface",
    }
    save_file(tensors, path, metadata)
    assert load_detector(path).convention is PYTORCH_RETINAFACE
    with pytest.raises(WeightsError, match="drop the setting"):
        load_detector(path, convention="retinaface_pytorch")
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(WeightsError, match="metadata"):
        load_detector(path)


def test_files_that_are_no_weights_say_so(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(WeightsError, match="do not exist"):
        load_detector(tmp_path / "absent.pth")
    cut = tmp_path / "cut.pth"
    cut.write_bytes(weights.read_bytes()[:900_000])
    with pytest.raises(WeightsError, match="cut short"):
        load_detector(cut, convention="pytorch_retinaface")
    other = tmp_path / "other.pth"
    torch.save({"fc.weight": torch.zeros(3)}, other)
    with pytest.raises(WeightsError, match="tensor names"):
        load_detector(other, convention="pytorch_retinaface")
    pointer = tmp_path / "pointer.pth"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(WeightsError, match="LFS"):
        load_detector(pointer)
    with pytest.raises(WeightsError, match="drop the setting"):
        load_detector(weights, convention="retinaface_pytorch")


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="threshold"):
        FaceDetector(small_net(), PYTORCH_RETINAFACE, threshold=1.5)
    with pytest.raises(ValueError, match="max_side"):
        FaceDetector(small_net(), PYTORCH_RETINAFACE, max_side=8)
    with pytest.raises(ValueError, match="backend 'tensorrt'"):
        FaceDetector(small_net(), PYTORCH_RETINAFACE, backend="tensorrt")
    with pytest.raises(ValueError, match="CPU only"):
        FaceDetector(small_net(), PYTORCH_RETINAFACE, backend="onnxruntime", device="meta")


@pytest.mark.parametrize("convention", [PYTORCH_RETINAFACE, RETINAFACE_PYTORCH])
def test_both_backends_give_one_answer_for_any_size(convention: Convention) -> None:
    net = small_net(3)
    rng = np.random.default_rng(0)
    engines = [make_engine(net, convention, "cpu", backend) for backend in ("onnxruntime", "torch")]
    for shape in ((1, 64, 96, 3), (3, 33, 70, 3), (2, 160, 128, 3)):
        pictures = rng.integers(0, 256, shape).astype(np.uint8)
        for a, b in zip(*(engine(pictures) for engine in engines), strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-4)


def test_a_detector_survives_the_way_to_another_process(weights: Path, group: np.ndarray) -> None:
    detector = load_detector(weights)
    copy = pickle.loads(pickle.dumps(detector))  # noqa: S301  (made here)
    for a, b in zip(detector.detect(group), copy.detect(group), strict=True):
        assert np.array_equal(a.points, b.points)


def test_regions_on_the_grid_show_what_the_whole_picture_shows(weights: Path, group: np.ndarray) -> None:
    detector = load_detector(weights, max_side=720)
    height, width = group.shape[:2]
    whole = detector.detect(group)[:2]
    regions = []
    for face in whole:
        size = float((face.box[2:] - face.box[:2]).max())
        x1, y1 = (max(0, int((v - size) // 32 * 32)) for v in face.box[:2])
        regions.append((x1, y1, min(width, int(face.box[2] + size)), min(height, int(face.box[3] + size))))
    found = detector.detect_in(group, regions)
    for face in whole:
        nearest = min(found, key=lambda other: float(np.abs(other.box - face.box).sum()))
        assert np.abs(nearest.points - face.points).max() < 1
    assert detector.detect_in(group, []) == []
    # one face in two regions is one face
    assert len(detector.detect_in(group, [regions[0], regions[0]])) == len(detector.detect_in(group, regions[:1]))


def test_half_precision_finds_the_same_faces(weights: Path, group: np.ndarray) -> None:
    """What a GPU computes, here on whatever device there is."""
    detector = load_detector(weights, max_side=320)
    wanted = detector.detect(group)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    half = SeenNetwork(folded(detector.net).half(), detector.convention, torch.float16).to(device).eval()

    def engine(pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        with torch.inference_mode():
            return tuple(part.cpu().numpy() for part in half(torch.from_numpy(pictures).to(device)))

    detector.engine = engine  # type: ignore[assignment]
    found = detector.detect(group)
    assert len(found) == len(wanted) >= 2
    for a, b in zip(sorted(found, key=lambda f: f.box[0]), sorted(wanted, key=lambda f: f.box[0]), strict=True):
        assert np.abs(a.points - b.points).mean() < 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_a_gpu_finds_what_a_cpu_finds(weights: Path, group: np.ndarray) -> None:
    on_cpu, on_gpu = (load_detector(weights, device=device) for device in ("cpu", "cuda"))
    assert on_gpu.on_gpu
    for a, b in zip(on_gpu.detect_batch([group] * 3)[2], on_cpu.detect(group), strict=True):
        assert np.abs(a.points - b.points).mean() < 1
