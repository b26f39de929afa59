"""What a prediction costs: CPU seconds a second of video, for each stage, beside an earlier version; and its memory.

    python -m bench.predict --clip CLIP --retinaface retinaface_mobilenet0.25.pth --before ../earlier-checkout

makes videos of 1280 x 720 from clips of one person, a short and a long one of each, and predicts both with the command
``nrdfer predict`` of each version, on one core, with the same model, detector and size of searched pictures; a second
of video costs what the long one costs more. CPU seconds (user and system, ffmpeg's included) depend little on what else
the machine does. `--minutes 30` predicts a video of that length instead, and prints the memory of the command and all
that it starts, its peak and the peak of each tenth of the run.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from devtools.tree_memory import Samples, sampled
from nrdfer.video.ffmpeg import ffmpeg_executable
from nrdfer.video.probe import probe

HERE = Path(__file__).resolve().parents[1]
MODEL = HERE / "nrdfer" / "weights" / "sample" / "nr-dfernet"
SHORT = 2.0  # seconds
MAX_SIDE = 640  # pixels: what a real detector is given by default
PARTS = 10
_COMMAND = "from nrdfer.cli import app; app()"


def make_video(clip: Path, path: Path, seconds: float) -> Path:
    """A video of 1280 x 720 and 25 frames a second: a clip, repeated until it is long enough.

    Raises:
        CalledProcessError: ffmpeg failed.
        SystemExit: what it wrote is shorter.
    """
    once = path.with_name(f"once-{path.name}")
    encode = ["-vf", "scale=1280:720,fps=25,format=yuv420p", "-t", str(seconds), "-an", "-c:v", "libx264"]
    _ffmpeg("-i", str(clip), *encode, "-preset", "veryfast", str(once))
    _ffmpeg("-stream_loop", "-1", "-i", str(once), "-t", str(seconds), "-c", "copy", str(path))
    once.unlink()
    made = probe(path).duration_s or 0
    if made < 0.98 * seconds:
        raise SystemExit(f"{path.name}: {made:g} s of {seconds:g} s could be made from {clip}")
    return path


def _ffmpeg(*options: str) -> None:
    subprocess.run([ffmpeg_executable(), "-v", "error", "-y", *options], check=True)  # noqa: S603 - no shell


def cpu_of(run: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of this process and its children while something runs, and seconds on the clock."""

    def spent() -> float:
        parts = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return sum(part.ru_utime + part.ru_stime for part in parts)

    before, clock = spent(), time.perf_counter()
    run()
    return spent() - before, time.perf_counter() - clock


def predict(tree: Path, video: Path, out: Path, options: argparse.Namespace) -> Samples:
    """Run ``nrdfer predict`` of the version in a checkout.

    Raises:
        SystemExit: it failed, or answered nothing.
    """
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    chosen = ["--device", "cpu", "--max-side", str(options.max_side)]
    if options.retinaface:
        chosen += ["--retinaface", str(options.retinaface.absolute())]
    command = [sys.executable, "-c", _COMMAND, "predict", str(video), "--model", str(MODEL), "--out", str(out)]
    log = out.with_name(f"{out.name}.log")
    with (
        log.open("wb") as written,
        subprocess.Popen(  # noqa: S603 - own command
            [*command, *chosen], env=environment, cwd=out.parent, stdout=written, stderr=subprocess.STDOUT
        ) as process,
    ):
        samples = sampled(process) if options.minutes else Samples()
    if process.returncode or not list(out.glob("*/annotated.mp4")):
        raise SystemExit(f"{tree}: status {process.returncode}, {video.name} was not predicted:\n{log.read_text()}")
    return samples


def stages(video: Path, options: argparse.Namespace, out: Path) -> dict[str, float]:
    """CPU seconds of each stage of a prediction in this process."""
    from nrdfer.predict.annotate import write_annotated
    from nrdfer.predict.crops import Cropper
    from nrdfer.predict.model import open_model
    from nrdfer.predict.predictor import Predictor
    from nrdfer.predict.result import Prediction
    from nrdfer.predict.strip import draw_strip

    model = open_model(str(MODEL))
    named = {"retinaface": str(options.retinaface)} if options.retinaface else {}
    used, _ = model.preprocessing.overridden(**named, max_side=options.max_side)
    cropper = Cropper.load(used, device="cpu")
    predictor = Predictor(model, cropper, device="cpu")
    spent: dict[str, float] = {}

    def timed(name: str, owner: object, method: str) -> None:
        real = getattr(owner, method)

        def measured(*arguments: object, **named: object) -> object:
            kept: list[object] = []
            spent[name] = spent.get(name, 0) + cpu_of(lambda: kept.append(real(*arguments, **named)))[0]
            return kept[0]

        setattr(owner, method, measured)

    timed("decode, search, people", cropper, "look")
    timed("decode, crops", cropper, "cut")
    found: list[Prediction] = []
    whole, _ = cpu_of(lambda: found.append(predictor.predict(video)))
    spent["network"] = whole - sum(spent.values())
    spent["strip"] = cpu_of(lambda: draw_strip(found[0], "", "", out / "strip.png"))[0]
    spent["decode, annotated video"] = cpu_of(lambda: write_annotated(video, found[0], out / "annotated.mp4"))[0]
    return spent


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, nargs="+", required=True, help="videos of one person")
    parser.add_argument("--retinaface", type=Path, help="the detector; else the shipped one")
    parser.add_argument("--max-side", type=int, default=MAX_SIDE, help="of searched pictures, in every version, pixels")
    parser.add_argument("--before", type=Path, help="a checkout of another commit")
    parser.add_argument("--seconds", type=float, default=20, help="length of the long videos")
    parser.add_argument("--minutes", type=float, help="predict a video of this length for its memory instead")
    options = parser.parse_args()
    if options.seconds <= SHORT and not options.minutes:
        parser.error(f"--seconds must be more than {SHORT:g}")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # every process that is started is on this core, too
    with tempfile.TemporaryDirectory(prefix="nrdfer-predict-") as folder:
        if options.minutes:
            _memory(options, Path(folder))
        else:
            _speed(options, Path(folder))


def _memory(options: argparse.Namespace, scratch: Path) -> None:
    video = make_video(options.clip[0], scratch / "long.mp4", options.minutes * 60)
    kept: list[Samples] = []
    cpu, clock = cpu_of(lambda: kept.append(predict(HERE, video, scratch / "out", options)))
    print(f"{options.minutes:g} minutes: {kept[0].peak / 2**30:.2f} GiB at most, {cpu:.0f} CPU seconds, {clock:.0f} s")
    print("GiB at most in each tenth of the run:", *(f"{part / 2**30:.2f}" for part in kept[0].peaks(PARTS)))


def _speed(options: argparse.Namespace, scratch: Path) -> None:
    more = options.seconds - SHORT
    trees = {"before": options.before.absolute()} if options.before else {}
    trees["here"] = HERE
    totals = dict.fromkeys(trees, 0.0)
    pairs = [
        tuple(make_video(clip, scratch / f"{i}-{length:g}.mp4", length) for length in (SHORT, options.seconds))
        for i, clip in enumerate(options.clip)
    ]
    heads = ("clip", "version", "CPU s per s of video", "once, CPU s", "s per s on this clock")
    print("|", " | ".join(heads), "|\n|" + " --- |" * len(heads))
    for clip, videos in zip(options.clip, pairs, strict=True):
        for name, tree in trees.items():
            costs = [
                cpu_of(lambda t=tree, v=video, n=name: predict(t, v, scratch / f"{n}{v.stem}", options))  # type: ignore[misc]
                for video in videos
            ]
            each, clock = ((costs[1][i] - costs[0][i]) / more for i in (0, 1))
            totals[name] += each
            cells = (clip.stem, name, f"{each:.2f}", f"{costs[0][0] - SHORT * each:.1f}", f"{clock:.2f}")
            print("|", " | ".join(cells), "|", flush=True)
    if "before" in totals:
        print(f"\n{totals['before'] / totals['here']:.2f} times as fast")
    short, long = (stages(video, options, scratch) for video in pairs[0])
    print("\n| stage | CPU s per s of video |\n| --- | --- |")
    for name, cost in long.items():
        print(f"| {name} | {(cost - short[name]) / more:.3f} |")


if __name__ == "__main__":
    main()
