"""Does the paper's own recipe learn? Honest WAR by epoch of three trainings on one rendered corpus.

    python -m devtools.paper_recipe --work DIR --people 200 --size 64 --widths 16,32,64 --out curve
    python -m devtools.paper_recipe --work DIR --full --out curve    # one GPU: DFEW's size, the paper's network

A corpus like DFEW is rendered once, seven clips a person; fold 1 trains and tests (four fifths of the people, and the
others). The trainings: recipe ``dfew-paper``; the same with position embeddings that start with deviation 0.02 instead
of 1; recipe ``dfew-author-code``. Of the network only sizes are changed, and the recipes are whole, SGD with a learning
rate of 0.001; with ``--epochs`` their first epochs. WAR is over the test clips after each epoch, and nothing is chosen
on them. A training has left chance if its last epoch is right more often than one in seven, by an exact binomial test
at 1 %.

Writes curve.json (every figure, the command, seconds of all processors) and curve.png, also after every training, so
that a stopped command leaves what is finished. What is in DIR is not done again: the same command continues.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devtools.own_places import json_file, take_folder
from nrdfer.config.profile import Profile, load_profile
from nrdfer.config.resolve import shipped_profiles
from nrdfer.core.own_files import publish, unfinished, write_made
from nrdfer.shards.split import Split

CHANCE, LEVEL = 1 / 7, 0.01
FULL: Mapping[str, Any] = {"people": 1670, "frames": (16, 60), "size": 112, "widths": (64, 128, 256)}  # 11,690 clips


@dataclasses.dataclass(frozen=True)
class Arm:
    """One training."""

    title: str
    recipe: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of the network


ARMS: Mapping[str, Arm] = {
    "dfew-paper": Arm("dfew-paper", "dfew-paper"),
    "position-std-0.02": Arm("dfew-paper, position_std 0.02", "dfew-paper", {"position_std": 0.02}),
    "dfew-author-code": Arm("dfew-author-code", "dfew-author-code"),
}


def profile_of(given: argparse.Namespace) -> Profile:
    """The sample's profile with another corpus, the paper's network and its recipe."""
    render = {"identities": given.people, "frames": list(given.frames), "seed": given.seed}
    changes = {
        "corpora": {"rendered": True, "render": {**render, "afew_train_identities": 1, "afew_val_identities": 1}},
        "model_preset": "paper",
        "model_settings": {"image_size": given.size, "widths": list(given.widths)},
        "shards": {"image_size": given.size},
        "dfew_recipe": {"name": "dfew-paper", "seed": given.seed},
        "engine": {"device": given.device, "threads": given.threads, "workers": given.workers, **given.engine},
        "workers": given.workers or 1,
    }
    return load_profile(shipped_profiles() / "sample.yaml", changes)


def train(profile: Profile, split: Split, arm: Arm, work: Path, epochs: int | None) -> dict[str, Any]:
    """One training, or what is left of it; its figures by epoch."""
    from nrdfer.models.saved_model import read_history
    from nrdfer.training.callbacks import TrainingCallbacks
    from nrdfer.training.loop import train_fold
    from nrdfer.training.request import request_of

    recipe = {"name": arm.recipe, "seed": profile.dfew_recipe.seed, **({"epochs": epochs} if epochs else {})}
    changed = profile.changed(
        model_settings={**profile.model_settings, **arm.settings}
    ).change_recipe("dfew", recipe, anew=True)  # fmt: skip
    folder = work / f"{arm.title.replace(', ', '-').replace(' ', '-')}-{_short(changed, split)}"
    out = folder / "out"
    spent_file = folder / "seconds.json"
    if not spent_file.is_file():
        out.mkdir(parents=True, exist_ok=True)
        before, began = _seconds(), time.monotonic()
        request = request_of(changed, split, folder / "work", out)
        train_fold(request, TrainingCallbacks(on_epoch=lambda row: print(_line(arm.title, row), flush=True)))
        spent = {"cpu_seconds": round(_seconds() - before, 1), "seconds": round(time.monotonic() - began, 1)}
        spent_file.write_text(json.dumps(spent))
    rows = read_history(out)
    last = rows[-1]["test_war"]
    return {
        "title": arm.title,
        "recipe": recipe,
        "settings": dict(arm.settings),
        "test_war": [row["test_war"] for row in rows],
        "train_war": [row["train_war"] for row in rows],
        "train_loss": [row["train_loss"] for row in rows],
        "last_war": last,
        **left_chance(round(last * len(split.test_ids)), len(split.test_ids)),
        **json.loads(spent_file.read_text()),
    }


def left_chance(right: int, clips: int) -> dict[str, Any]:
    """Whether so many right answers of so many clips are more than chance, and how likely by chance."""
    from scipy.stats import binomtest

    p = float(binomtest(right, clips, CHANCE, alternative="greater").pvalue)
    return {"p_by_chance": p, "left_chance": p < LEVEL}


def _short(profile: Profile, split: Split) -> str:
    from nrdfer.store import digest_of
    from nrdfer.training.key import key_of_profile

    return digest_of(key_of_profile(profile, split, "").settings())[:8]


def _line(title: str, row: Any) -> str:
    return (
        f"{title}: epoch {row.epoch}, loss {row.train_loss:.3f}, WAR {row.train_war:.3f}, test WAR {row.test_war:.3f}"
    )


def _seconds() -> float:
    """Seconds of processors of this process and of those it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def draw(arms: Sequence[Mapping[str, Any]], path: Path) -> None:
    """WAR on the test clips by epoch, one curve a training, and chance."""
    from nrdfer.plotting.style import BLUE, GREEN, NORMAL, SMALL, VERMILLION, new_figure, save, tidy

    figure = new_figure(6.4, 3.6)
    axes = figure.subplots()
    for arm, (colour, line) in zip(arms, ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-.")), strict=False):
        epochs = range(1, len(arm["test_war"]) + 1)
        axes.plot(epochs, [100 * war for war in arm["test_war"]], line, color=colour, label=arm["title"])
    axes.axhline(100 * CHANCE, color="0.4", linewidth=0.8, label="chance")
    axes.set_xlabel("epoch", fontsize=NORMAL)
    axes.set_ylabel("test WAR, %", fontsize=NORMAL)
    axes.legend(fontsize=SMALL)
    tidy(axes, grid="y")
    axes.xaxis.get_major_locator().set_params(integer=True)
    save(figure, path)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the corpus and the trainings")
    parser.add_argument("--out", required=True, help="NAME of NAME.json and NAME.png")
    parser.add_argument("--full", action="store_true", help="DFEW's size, 112 px, the paper's widths")
    parser.add_argument("--people", type=int, default=200, help="a multiple of 5; seven clips each")
    parser.add_argument("--frames", type=_numbers, default=(16, 28), help="shortest, longest clip")
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--widths", type=_numbers, default=(16, 32, 64), help="channels of the three layers")
    parser.add_argument("--epochs", type=int, help="of the recipe, if not its own 70")
    parser.add_argument("--arms", default=",".join(ARMS), help="which trainings, in which order")
    parser.add_argument("--seed", type=int, default=0, help="of the corpus and the trainings")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch on a CPU")
    parser.add_argument("--workers", type=int, default=1, help="that render, and that prepare clips")
    parser.add_argument("--engine", type=json.loads, default={}, help="further fields of the engine, JSON")
    given = parser.parse_args()
    if given.full:
        vars(given).update(FULL)
    given.arms = given.arms.split(",")
    if unknown := sorted(set(given.arms) - set(ARMS)):
        parser.error(f"no training is called {', '.join(unknown)}; known are {', '.join(ARMS)}")
    try:
        given.files = [json_file(f"{given.out}{suffix}") for suffix in (".json", ".png")]
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    return given


def main() -> None:
    """Render, train, write."""
    given = _options()
    work = given.work.absolute()
    take_folder(work)
    os.environ["NRDFER_HOME"] = str(work)  # the rendered corpus lies there
    profile = profile_of(given)
    from devtools.pretraining.sample_corpus import prepared_split
    from nrdfer.store import Store

    before = _seconds()
    split, _ = prepared_split(Store(work / "store"), profile, "fd1")
    result: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "devtools.paper_recipe", *sys.argv[1:]]),
        "seed": given.seed,
        "clips": {"training": len(split.train_ids), "test": len(split.test_ids)},
        "frames": list(given.frames),
        "network": {"preset": "paper", **profile.model_settings},
        "corpus_cpu_seconds": round(_seconds() - before, 1),  # little, if it was there already
        "machine": platform.machine(),
        "trainings": [],
    }
    for name in given.arms:
        result["trainings"].append(train(profile, split, ARMS[name], work / "trainings", given.epochs))
        write_made(given.files[0], (json.dumps(result, indent=1) + "\n").encode())
        with unfinished(given.files[1].parent) as place:
            draw(result["trainings"], place / "curve.png")
            publish(place / "curve.png", given.files[1])
    for row in result["trainings"]:
        verdict = "has left chance" if row["left_chance"] else "is at chance"
        print(f"{row['title']}: WAR {100 * row['last_war']:.1f} %, {verdict} (p {row['p_by_chance']:.2g})")


if __name__ == "__main__":
    main()
