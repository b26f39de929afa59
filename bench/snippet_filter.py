"""What sharing the spatial stage saves: snippets' logits from one pass, against one full pass a snippet.

Prints JSON: for each stride S and width L of the paper's Table 2, under both readings of "snippet", the number of
snippets, multiply-adds, seconds a clip, and the largest difference between the logits.

    python bench/snippet_filter.py [--threads 2] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor

from nrdfer.models.flops import count_macs
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings


def naive(model: NRDFERNet, x_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
    """The paper's words: every snippet goes through the whole network."""
    snippets = [model(x_BTCHW[:, window.start : window.stop + 1]) for window in model.settings.snippets]
    return model(x_BTCHW), torch.stack(snippets, dim=1)


def seconds(call: Callable[[], object], repeats: int) -> float:
    """The quickest of several runs, after one to warm up."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times[1:])


@torch.inference_mode()
def measure(stride: int, width: int, unit: str, repeats: int) -> dict[str, float | int | str]:
    torch.manual_seed(0)
    settings = NRDFERNetSettings(snippet_stride=stride, snippet_width=width, snippet_unit=unit)
    model, x_BTCHW = NRDFERNet(settings).eval(), torch.rand(1, 16, 3, 112, 112)
    shared_logits, naive_logits = model.forward_with_snippets(x_BTCHW)[1], naive(model, x_BTCHW)[1]
    shared_macs = count_macs(lambda: model.forward_with_snippets(x_BTCHW))
    naive_macs = count_macs(lambda: naive(model, x_BTCHW))
    shared_s = seconds(lambda: model.forward_with_snippets(x_BTCHW), repeats)
    naive_s = seconds(lambda: naive(model, x_BTCHW), repeats)
    return {
        "stride": stride,
        "width": width,
        "unit": unit,
        "snippets": len(settings.snippets),
        "shared_gmac": round(shared_macs / 1e9, 3),
        "naive_gmac": round(naive_macs / 1e9, 3),
        "macs_saved_factor": round(naive_macs / shared_macs, 2),
        "shared_seconds": round(shared_s, 4),
        "naive_seconds": round(naive_s, 4),
        "speedup": round(naive_s / shared_s, 2),
        "largest_logit_difference": float((shared_logits - naive_logits).abs().max()),
        "spread_of_snippet_logits": float(shared_logits.std()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = [
        measure(stride, width, unit, arguments.repeats)
        for unit in ("frame", "pair")
        for width in (3, 6)
        for stride in (1, 2, 3)
    ]
    print(json.dumps({"torch": torch.__version__, "threads": arguments.threads, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
