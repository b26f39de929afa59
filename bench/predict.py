"""What a prediction costs: CPU seconds a second of video, for each stage, beside an earlier version; and its memory.

    python -m bench.predict --clip CLIP --retinaface retinaface_mobilenet0.25.pth --before ../earlier-checkout

makes videos of 1280 x 720 from a clip of one person, a short and a long one, and predicts both with the command
``nrdfer predict`` of each version; a second of video costs what the long one costs more. CPU seconds (user and system,
ffmpeg's included) depend little on what else the machine does. `--minutes 30` predicts a video of that length and
prints the largest resident memory of the process. Every process has one thread.
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

from nrdfer.video.ffmpeg import ffmpeg_executable

HERE = Path(__file__).resolve().parents[1]
MODEL = HERE / "nrdfer" / "weights" / "sample" / "nr-dfernet"
SHORT, LONG = 2, 10  # seconds
_COMMAND = "from nrdfer.cli import app; app()"


def make_video(clip: Path, path: Path, seconds: float) -> Path:
    """A video of 1280 x 720 and 25 frames a second: a clip, repeated until it is long enough."""
    options = ["-vf", "scale=1280:720,fps=25", "-t", str(seconds), "-an", "-c:v", "libx264", "-preset", "veryfast"]
    command = [ffmpeg_executable(), "-v", "error", "-y", "-stream_loop", "-1", "-i", str(clip), *options, str(path)]
    subprocess.run(command, check=True)  # noqa: S603 - no shell
    return path


def cpu_of(run: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of this process and its children while something runs, and seconds on the clock."""

    def spent() -> float:
        parts = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return sum(part.ru_utime + part.ru_stime for part in parts)

    before, clock = spent(), time.perf_counter()
    run()
    return spent() - before, time.perf_counter() - clock


def predict(tree: Path, video: Path, out: Path, retinaface: Path | None) -> None:
    """Run ``nrdfer predict`` of the version in a checkout.

    Raises:
        CalledProcessError: it failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    options = ["--retinaface", str(retinaface.absolute())] if retinaface else []
    command = [sys.executable, "-c", _COMMAND, "predict", str(video), "--model", str(MODEL), "--out", str(out)]
    subprocess.run(  # noqa: S603 - own command
        [*command, "--device", "cpu", *options], env=environment, cwd=out.parent, check=True, capture_output=True
    )


def stages(video: Path, retinaface: Path | None, out: Path) -> dict[str, float]:
    """CPU seconds of each stage of a prediction in this process."""
    from nrdfer.predict.annotate import write_annotated
    from nrdfer.predict.crops import Cropper
    from nrdfer.predict.model import open_model
    from nrdfer.predict.predictor import Predictor
    from nrdfer.predict.result import Prediction
    from nrdfer.predict.strip import draw_strip

    model = open_model(str(MODEL))
    used = model.preprocessing
    if retinaface:
        used, _ = used.overridden(retinaface=str(retinaface))
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
    parser.add_argument("--clip", type=Path, required=True, help="a video of one person")
    parser.add_argument("--retinaface", type=Path, help="the detector; else the shipped one")
    parser.add_argument("--before", type=Path, help="a checkout of another commit")
    parser.add_argument("--minutes", type=float, help="predict a video of this length for its memory instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nrdfer-predict-") as folder:
        scratch = Path(folder)
        if options.minutes:
            video = make_video(options.clip, scratch / "long.mp4", options.minutes * 60)
            cpu, clock = cpu_of(lambda: predict(HERE, video, scratch / "out", options.retinaface))
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
            print(f"{options.minutes:g} minutes: {peak:.2f} GiB at most, {cpu:.0f} CPU seconds, {clock:.0f} s")
            return
        videos = [make_video(options.clip, scratch / f"{length}.mp4", length) for length in (SHORT, LONG)]
        trees = {"before": options.before.absolute()} if options.before else {}
        trees["here"] = HERE
        each = {}
        print("| version | CPU s per s of video | once, CPU s | s per s on this clock |\n| --- | --- | --- | --- |")
        for name, tree in trees.items():
            costs = [
                cpu_of(lambda t=tree, v=video, n=name: predict(t, v, scratch / f"{n}{v.stem}", options.retinaface))  # type: ignore[misc]
                for video in videos
            ]
            each[name] = (costs[1][0] - costs[0][0]) / (LONG - SHORT)
            clock = (costs[1][1] - costs[0][1]) / (LONG - SHORT)
            print(f"| {name} | {each[name]:.2f} | {costs[0][0] - SHORT * each[name]:.1f} | {clock:.2f} |", flush=True)
        if "before" in each:
            print(f"{each['before'] / each['here']:.2f} times as fast")
        short, long = (stages(video, options.retinaface, scratch) for video in videos)
        print("\n| stage | CPU s per s of video |\n| --- | --- |")
        for name, cost in long.items():
            print(f"| {name} | {(cost - short[name]) / (LONG - SHORT):.3f} |")


if __name__ == "__main__":
    main()
