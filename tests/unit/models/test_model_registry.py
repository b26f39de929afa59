from __future__ import annotations

import pytest
import torch

from nrdfer.errors import ProfileError
from nrdfer.models.flops import count_macs, count_parameters
from nrdfer.models.registry import build_model


def test_a_network_is_built_from_plain_settings() -> None:
    model = build_model("nr-dfernet", {"image_size": 32, "widths": [4, 6, 8], "temporal_depth": 1})
    assert model.settings.widths == (4, 6, 8)
    assert len(model.temporal.encoder.layers) == 1


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("c4d", {}, "no model 'c4d'; known are nr-dfernet"),
        ("nr-dfernet", {"depth": 3}, "unknown setting depth"),
        ("nr-dfernet", {"stem": "vgg"}, "stem must be"),
        ("nr-dfernet", {"encoder_norm": "both"}, "norm must be"),
        ("nr-dfernet", {"snippet_width": 40}, "do not fit"),
    ],
)
def test_what_cannot_be_built_is_named(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        build_model(name, settings)


def test_multiply_adds_and_parameters_of_a_layer_worked_out_by_hand() -> None:
    conv = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
    x = torch.rand(2, 3, 10, 10)
    assert count_macs(lambda: conv(x)) == 2 * 10 * 10 * 8 * 3 * 9
    assert count_parameters(conv) == 8 * 3 * 9
