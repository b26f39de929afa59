"""The published figures, by the published counting; and the honest ones beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from nrdfer.models.cost_table import HEADER, SHIPPED, Cost, cost_row, shipped_costs, to_json
from nrdfer.models.costs import measure, measure_all
from nrdfer.models.encoder import EncoderLayer, EncoderSettings
from nrdfer.models.flops import count_macs, count_parameters, count_published
from nrdfer.models.registry import MODELS
from nrdfer.models.table_3 import count_changes, row

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def costs() -> list[Cost]:
    return list(measure_all())


def test_table_3_by_the_published_counting(costs: list[Cost]) -> None:
    found = {(c.settings["M"], c.settings["N"]): c for c in costs if c.name == "nr-dfernet" and c.table == "3"}
    counted = {depths: round(cost.gmacs_published_counting, 2) for depths, cost in found.items()}
    assert counted == {(1, 4): 6.20, (2, 4): 6.33, (3, 4): 6.46, (1, 6): 7.31, (2, 6): 7.44, (3, 6): 7.57}
    assert counted == {depths: cost.gmacs_published for depths, cost in found.items()}
    sequence = [4.309, 4.373, 4.437, 4.511, 4.574, 4.638]  # each layer once
    with_snippets = [5.014, 5.078, 5.142, 5.568, 5.632, 5.695]
    assert [cost.gmacs for cost in found.values()] == pytest.approx(sequence, abs=0.001)
    # the windows' shared attention looks at more pairs of tokens than one attention a window would: 0.05 % more
    assert [cost.gmacs_with_filter for cost in found.values()] == pytest.approx(with_snippets, abs=0.004)
    assert found[2, 4].parameters == 31_323_463


@pytest.mark.parametrize(
    ("name", "counted", "published", "parameters"),
    [
        ("c3d", 38.57, 38.57, 78.02),
        ("r2plus1d-18", 42.36, 42.36, 33.20),
        ("r3d-18", 8.32, 8.32, 33.21),
        ("r3d-18-center-loss", 8.32, 8.32, 33.21),
        ("ec-stfl", 8.32, 8.32, 33.21),
        ("i3d-rgb", 6.99, 6.99, 12.29),
        ("vgg11-lstm", 31.65, 31.65, 114.15),
        ("resnet18-lstm", 7.78, 7.78, 11.51),
        ("resnet18-gru", 7.78, 7.78, 11.42),
        ("former-dfer", 8.30, 9.11, 18.03),
        ("p3d", 9.125, None, 65.69),
        ("r3d-18-torchvision", 40.739, None, 33.17),
        ("r2plus1d-18-torchvision", 40.645, None, 31.30),
        ("reslstm", 10.056, None, 17.39),
    ],
)
def test_rivals(costs: list[Cost], name: str, counted: float, published: float | None, parameters: float) -> None:
    (cost,) = [cost for cost in costs if (cost.name, cost.preset) == (name, "paper")]
    assert cost.gmacs_published_counting == pytest.approx(counted, abs=0.005)
    assert cost.gmacs_published == published
    assert cost.parameters / 1e6 == pytest.approx(parameters, abs=0.006)
    assert cost.gmacs_with_filter is None
    assert 0.97 < cost.gmacs / cost.gmacs_published_counting <= 1  # norms and biases are the only difference


@pytest.mark.parametrize(
    ("name", "preset", "parameters"),
    [
        ("c3d", "dfew-authors", 78_029_959),  # 78.03 M
        ("p3d", "dfew-authors", 24_939_975),  # P3D-63, 24.94 M
        ("i3d-rgb", "dfew-authors", 12_294_439),  # 12.29 M
        ("former-dfer", "paper", 18_031_943),
        # as published with 400 classes, 33,371,472 and 31,505,325, less the weights and biases of 393 classes
        ("r3d-18-torchvision", "paper", 33_371_472 - 393 * 513),
        ("r2plus1d-18-torchvision", "paper", 31_505_325 - 393 * 513),
    ],
)
def test_forms_of_the_authors_have_their_parameters(costs: list[Cost], name: str, preset: str, parameters: int) -> None:
    (cost,) = [cost for cost in costs if (cost.name, cost.preset) == (name, preset)]
    assert cost.parameters == parameters


def test_what_table_3_decides_and_what_it_leaves_open() -> None:
    counts = list(count_changes())
    decided = {name for count in counts if count.decides for name in count.changed}
    left_open = {name for count in counts if not count.decides for name in count.changed}
    assert {count.matched for count in counts} == {0, 6}
    assert decided == {"stem", "stage_blocks", "dynamic_branch", "dynamic_blocks", "conv_d_kernel", "snippet_unit"}
    assert {"temporal_dim_head", "temporal_mlp", "spatial_dim_head", "spatial_mlp", "position_std"} <= left_open
    assert not decided & left_open
    page = (Path(__file__).parents[3] / "docs" / "models.md").read_text()
    for count in counts:  # and docs/models.md says the same
        assert "| {} | {} |".format(*row(count)) in page


def test_every_network_and_preset_of_ours_is_measured(costs: list[Cost]) -> None:
    assert {cost.name for cost in costs} == set(MODELS)
    assert {cost.preset for cost in costs if cost.name == "nr-dfernet"} == set(MODELS["nr-dfernet"].presets)


def test_the_shipped_table_is_a_fresh_count(costs: list[Cost]) -> None:
    assert SHIPPED.read_text() == to_json(costs), "python -m scripts.docs.models writes it again"
    assert [cost_row(cost) for cost in shipped_costs()] == [cost_row(cost) for cost in costs]


def test_other_forms_that_are_known() -> None:
    """Figures that others measured, so that a slip in a network or in the counting cannot hide behind a fit."""
    assert measure("p3d", depth=63).gmacs_published_counting == pytest.approx(4.228, abs=0.001)
    assert measure("p3d", image_size=160).gmacs_published_counting == pytest.approx(18.508, abs=0.001)
    assert measure("nr-dfernet", "author-code").gmacs_published_counting == pytest.approx(6.690, abs=0.001)
    former = measure("former-dfer", spatial_depth=3, class_token=False)
    assert former.gmacs_published_counting == pytest.approx(9.1115 + 0.0026, abs=0.0005)  # layer norms: 0.0026


def test_parts_of_the_network_cost_what_they_should() -> None:
    plain = measure("nr-dfernet")
    assert measure("nr-dfernet", sf=False).gmacs_with_filter == plain.gmacs
    assert plain.gmacs - measure("nr-dfernet", dsf=False).gmacs == pytest.approx(0.8651, abs=0.001)


def test_rows_for_people_and_for_programs(costs: list[Cost]) -> None:
    assert all(len(cost_row(cost)) == len(HEADER) for cost in costs)
    row = dict(zip(HEADER, cost_row(costs[1]), strict=True))
    assert (row["(M, N)"], row["computed"], row["with filter"], row["published"]) == ("(2, 4)", "4.37", "5.08", "6.33")
    json.dumps([vars(cost) for cost in costs])


def test_both_countings_of_layers_worked_out_by_hand() -> None:
    conv, x = nn.Conv2d(3, 8, 3, padding=1), torch.rand(2, 3, 10, 10)
    macs = 2 * 10 * 10 * 8 * 3 * 9
    assert count_macs(lambda: conv(x)) == macs
    assert count_published(conv, lambda: conv(x), encoder_layers_twice=False) == macs + 2 * 10 * 10 * 8
    assert count_parameters(conv) == 8 * 3 * 9 + 8
    norm = nn.BatchNorm2d(3)
    assert count_macs(lambda: norm(x)) == 0
    assert count_published(norm, lambda: norm(x), encoder_layers_twice=False) == 2 * 600


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3)])
def test_recurrent_layers_worked_out_by_hand(kind: type[nn.LSTM | nn.GRU], gates: int) -> None:
    layer, x = kind(5, 6, batch_first=True), torch.rand(2, 3, 5)
    with torch.device("meta"):
        on_meta, x_meta = kind(5, 6, batch_first=True), torch.rand(2, 3, 5)
    products = 2 * 3 * gates * 6 * (5 + 6)
    assert count_macs(lambda: on_meta(x_meta)) == products
    extra = 2 * 3 * (gates * 3 * 6 + 4 * 6)
    assert count_published(layer, lambda: layer(x), encoder_layers_twice=False) == products + extra


def test_encoder_layers_count_double_only_where_asked() -> None:
    layer, x = EncoderLayer(6, EncoderSettings(1, 2, 3, 5)), torch.rand(2, 4, 6)
    once = 2 * 4 * (6 * 18 + 6 * 6 + 2 * 6 * 5) + 2 * 2 * (2 * 4 * 6)
    assert count_published(layer, lambda: layer(x), encoder_layers_twice=False) == once
    assert count_published(layer, lambda: layer(x), encoder_layers_twice=True) == 2 * once
    attention_products = 2 * 2 * (4 * 4 * 3) * 2
    assert count_macs(lambda: layer.to("meta")(x.to("meta"))) == 2 * 4 * (6 * 18 + 36 + 60) + attention_products
