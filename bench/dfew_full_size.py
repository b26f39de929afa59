"""DFEW or FERV39k at full size: make a tree, build listing, shards and folds from it, kill it, compare the bytes.

    python -m bench.dfew_full_size make --out DIR [--labels FOLDER_WITH_LABELS_AND_LISTS] [--clips N]
    python -m bench.dfew_full_size build --dfew DIR --store DIR [--workers 2]
    python -m bench.dfew_full_size kills --dfew DIR --store DIR --reference STORE [--times 20] [--seed 0]
    python -m bench.dfew_full_size compare --store DIR --reference STORE

`--corpus ferv39k` does it for FERV39k, whose tree needs `--labels`, a folder with FERV39K_train.txt and
FERV39K_test.txt; `--root` is another name for `--dfew`. Each prints one line of JSON; progress goes to stderr. Without
a sub-command it does all of it on a small tree of DFEW. The tree has the lengths of the real text lists if they are
given, and drawn ones otherwise; its frames are links to a pool of rendered faces, so it takes little room. A store of
full size takes about 7 GB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.full_size.build import Build, digest_store, stages, visible_problems
from bench.full_size.kills import draw_moments, kill_builds
from devtools import dfew_tree, ferv39k_tree
from nrdfer.config.profile import ShardsConfig
from nrdfer.corpora.published import DFEW_CLIPS, FERV39K
from nrdfer.corpora.registry import find_corpus
from nrdfer.shards.verify import verify

REFERENCE = "reference.json"  # in a store that was built: digest, and the marks of that build


def line_of(given: argparse.Namespace, store: Path, workers: int) -> list[str]:
    """The command that builds; a repeated build is this command again."""
    config = ["--clips-per-shard", str(given.clips_per_shard), "--image-size", str(given.image_size)]
    where = [
        "--corpus",
        given.corpus,
        "--dfew",
        str(given.dfew.absolute()),
        "--store",
        str(store.absolute()),
        "--workers",
        str(workers),
    ]
    return [sys.executable, "-m", "bench.dfew_full_size", "stages", *where, *config]


def make(given: argparse.Namespace) -> dict[str, Any]:
    def tell(done: int, total: int) -> None:
        print(f"\r{done}/{total} clips", end="\n" if done == total else "", file=sys.stderr)

    if given.corpus == "dfew":
        clips = DFEW_CLIPS if given.clips is None else given.clips
        return dfew_tree.make_tree(given.out, given.labels, clips, given.pictures, given.seed, tell)
    if given.labels is None:
        raise SystemExit("FERV39k's tree needs --labels: a folder with FERV39K_train.txt and FERV39K_test.txt")
    clips = sum(FERV39K.emotions.values()) if given.clips is None else given.clips
    return ferv39k_tree.make_tree(given.out, given.labels, clips, given.pictures, given.seed, tell)


def build(given: argparse.Namespace) -> dict[str, Any]:
    run = Build(line_of(given, given.store, given.workers))
    result = run.finish()
    print(file=sys.stderr)
    frames, seconds = result["counts"]["frames"], result["seconds"]
    digest = digest_store(given.store, find_corpus(given.corpus))
    (given.store / REFERENCE).write_text(json.dumps({"digest": digest, "marks": run.marks}))
    return {
        "workers": given.workers,
        **result,
        "seconds_in_all": round(sum(seconds.values()), 2),
        "frames_per_second": {
            "listing": round(frames / seconds["listing"], 1),
            "shards": round(frames / seconds["shards"], 1),
        },
        "peak_megabytes_of_all_processes": {kind: round(size / 2**20, 1) for kind, size in run.peak.items()},
        "digest": digest,
    }


def kills(given: argparse.Namespace) -> dict[str, Any]:
    reference = json.loads((given.reference / REFERENCE).read_text())
    moments = draw_moments([(at, tuple(mark)) for at, mark in reference["marks"]], given.times, given.seed)
    corpus = find_corpus(given.corpus)
    told = kill_builds(line_of(given, given.store, given.workers), given.store, corpus, moments)
    shards = given.store.glob(f"{corpus.asset('shards')}/[0-9a-f]*")
    bad = [problem for path in shards for problem in verify(path)]
    same = told["digest"] == reference["digest"]
    return {"workers": given.workers, **told, "problems_of_shards": bad, "same_bytes_as_reference": same}


def compare(given: argparse.Namespace) -> dict[str, Any]:
    corpus, stores = find_corpus(given.corpus), (given.store, given.reference)
    digests = {str(store): digest_store(store, corpus) for store in stores}
    whole = not any(visible_problems(store, corpus) for store in stores)
    return {"digests": digests, "same": len(set(digests.values())) == 1, "whole": whole}


def small() -> list[dict[str, Any]]:
    """All of it on a small tree, which is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        common = ["--dfew", str(root / "DFEW"), "--clips-per-shard", "10"]
        told = []
        for line in (
            ["make", "--out", str(root / "DFEW"), "--clips", "70", "--pictures", "64"],
            ["build", *common, "--store", str(root / "two"), "--workers", "2"],
            ["build", *common, "--store", str(root / "one"), "--workers", "1"],
            ["kills", *common, "--store", str(root / "killed"), "--reference", str(root / "two"), "--times", "5"],
        ):
            given = parser().parse_args(line)
            told.append({"command": line[0], **given.run(given)})
        return told


def run_stages(given: argparse.Namespace) -> None:
    config = ShardsConfig(clips_per_shard=given.clips_per_shard, image_size=given.image_size)
    stages(
        find_corpus(given.corpus), given.dfew, given.store, given.workers, config, lambda line: print(line, flush=True)
    )


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers()
    tree = commands.add_parser("make", help="make a tree of the corpus's shape")
    tree.add_argument("--out", type=Path, required=True, help="folder to make")
    tree.add_argument("--labels", type=Path, help="folder with the corpus's label files and text lists")
    tree.add_argument("--clips", type=int, help="clips with pictures; all of them unless given")
    tree.add_argument("--pictures", type=int, default=1000, help="different pictures")
    tree.add_argument("--seed", type=int, default=0)
    tree.set_defaults(run=make)
    for name, run in (("build", build), ("kills", kills), ("compare", compare), ("stages", run_stages)):
        command = commands.add_parser(name)
        command.add_argument("--store", type=Path, required=True)
        command.set_defaults(run=run)
        if name in ("kills", "compare"):
            command.add_argument("--reference", type=Path, required=True, help="store that `build` filled")
        if name != "compare":
            command.add_argument("--dfew", "--root", dest="dfew", type=Path, required=True)
            command.add_argument("--workers", type=int, default=2)
            command.add_argument("--clips-per-shard", type=int, default=ShardsConfig.clips_per_shard)
            command.add_argument("--image-size", type=int, default=ShardsConfig.image_size)
    for command in commands.choices.values():
        command.add_argument("--corpus", choices=("dfew", "ferv39k"), default="dfew")
    commands.choices["kills"].add_argument("--times", type=int, default=20)
    commands.choices["kills"].add_argument("--seed", type=int, default=0)
    return parser


def main() -> None:
    given = parser().parse_args()
    if not hasattr(given, "run"):
        for told in small():
            print(json.dumps({"bench": "dfew_full_size", **told}))
        return
    told = given.run(given)
    if told is not None:
        print(json.dumps({"bench": "dfew_full_size", **told}))


if __name__ == "__main__":
    main()
