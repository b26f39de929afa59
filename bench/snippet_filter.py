"""Cost of the snippet-based filter, and savings from sharing the spatial and temporal stages.

Prints JSON. ``cost``: a forward pass with the filter against one without, at the default setting. ``rows``: for each
stride S and width L of the paper's Table 2, under both readings of "snippet", snippets' logits from one shared pass
against one full pass a snippet: multiply-adds, seconds a clip, and the largest difference between the logits.

    python -m bench.snippet_filter [--threads 2] [--repeats 5]
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
    windows = model.settings.snippets
    each = [model.classify(model.features(x_BTCHW[:, window.start : window.stop + 1])) for window in windows]
    return model(x_BTCHW), torch.cat(each, dim=1)


def seconds(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple[float, float]:
    """The quickest of several runs of each, in turns, after one to warm up: the machine's moods hit both."""
    times: tuple[list[float], list[float]] = [], []
    for _ in range(repeats + 1):
        for call, own in zip((first, second), times, strict=True):
            started = time.perf_counter()
            call()
            own.append(time.perf_counter() - started)
    return min(times[0][1:]), min(times[1][1:])


@torch.inference_mode()
def cost(batch: int, repeats: int) -> dict[str, float | int]:
    """The filter at the default setting."""
    torch.manual_seed(0)
    model, x_BTCHW = NRDFERNet().eval(), torch.rand(batch, 16, 3, 112, 112)

    def filtered() -> Tensor:
        return model.decide(*model.forward_with_snippets(x_BTCHW))

    plain_macs, filtered_macs = count_macs(lambda: model(x_BTCHW)), count_macs(filtered)
    plain_s, filtered_s = seconds(lambda: model(x_BTCHW), filtered, repeats)
    return {
        "batch": batch,
        "plain_seconds": round(plain_s, 4),
        "filtered_seconds": round(filtered_s, 4),
        "times_plain": round(filtered_s / plain_s, 3),
        "macs_times_plain": round(filtered_macs / plain_macs, 3),
    }


@torch.inference_mode()
def measure(stride: int, width: int, unit: str, repeats: int) -> dict[str, float | int | str]:
    """Shared against naive at one setting of Table 2."""
    torch.manual_seed(0)
    settings = NRDFERNetSettings(snippet_stride=stride, snippet_width=width, snippet_unit=unit)
    model, x_BTCHW = NRDFERNet(settings).eval(), torch.rand(1, 16, 3, 112, 112)
    shared_logits, naive_logits = model.forward_with_snippets(x_BTCHW)[1], naive(model, x_BTCHW)[1]
    shared_macs = count_macs(lambda: model.forward_with_snippets(x_BTCHW))
    naive_macs = count_macs(lambda: naive(model, x_BTCHW))
    shared_s, naive_s = seconds(lambda: model.forward_with_snippets(x_BTCHW), lambda: naive(model, x_BTCHW), repeats)
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
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    costs = [cost(batch, 4 * arguments.repeats) for batch in (1, 8)]
    rows = [
        measure(stride, width, unit, arguments.repeats)
        for unit in ("frame", "pair")
        for width in (3, 6)
        for stride in (1, 2, 3)
    ]
    told = {"torch": torch.__version__, "threads": arguments.threads, "cost": costs, "rows": rows}
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
