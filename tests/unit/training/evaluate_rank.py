"""``python -m tests.unit.training.evaluate_rank SHARDS OUT``: one rank of an evaluation, with 0 and with 2 workers."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from nrdfer.core.emotions import EMOTIONS
from nrdfer.data.dataset import ClipDataset
from nrdfer.evaluation.inference import predict
from nrdfer.models.registry import build_model
from nrdfer.runtime.distributed import joined
from nrdfer.shards.reader import ShardReader
from tests.unit.training.tiny import SETTINGS


def main(shards: Path, out: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build_model("nr-dfernet", SETTINGS)
    reader = ShardReader(shards)
    data = ClipDataset(reader, sorted(reader.clip_ids), image_size=model.settings.image_size, emotions=EMOTIONS)
    with joined(torch.device("cpu")) as ranks:
        for workers in (0, 2):
            table = predict(model, data, batch=4, workers=workers, ranks=ranks)
            table.to_parquet(out / f"{ranks.world}-{ranks.rank}-{workers}.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
