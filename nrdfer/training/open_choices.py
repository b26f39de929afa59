"""Training choices that the paper leaves open: the choice made, the alternatives, and the reason.

Values are read from the recipes, never typed again, so that a table of them cannot go stale. Choices of the network are
in docs/models.md; the meaning of a recipe's fields is in ``recipe``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nrdfer.config.recipe import RECIPES, Recipe
from nrdfer.core.markdown_text import table
from nrdfer.corpora import afew as corpus

PAPER, AUTHOR, AFEW, OVERSAMPLED = "dfew-paper", "dfew-author-code", "afew-paper", "dfew-paper-oversampled"
HEADER = ("point", "chosen", "alternatives", "decided by")
RECIPES_HEADER = ("recipe", "epochs", "batch", "optimiser", "lr", "weight decay", "schedule", "besides")


@dataclass(frozen=True)
class Choice:
    """One point that the paper leaves open."""

    point: str
    fields: tuple[str, ...] = ()  # of the recipe, dotted; their values are what was chosen
    text: str = ""  # what was chosen where no field of the recipe says it, or what it comes to
    alternatives: str = ""
    source: str = ""
    recipe: str = PAPER  # that the fields belong to

    def chosen(self, recipe: Recipe | None = None) -> str:
        """The choice made, with the values of a recipe."""
        values = formatted(recipe or RECIPES[self.recipe], *self.fields)
        return "; ".join(part for part in (values, self.text) if part)


def formatted(recipe: Recipe, *fields: str) -> str:
    """Fields of a recipe with their values, as a profile or ``--set`` would have them."""
    return ", ".join(f"`{field}: {_plain(_value(recipe, field))}`" for field in fields)


def _value(recipe: Recipe, field: str) -> Any:
    value: Any = recipe
    for name in field.split("."):
        value = getattr(value, name)
    return value


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, tuple):
        return f"[{', '.join(_plain(part) for part in value)}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _of(name: str, *fields: str) -> str:
    return f"{formatted(RECIPES[name], *fields)} (recipe `{name}`)"


CHOICES: Sequence[Choice] = (
    Choice(
        "weight decay",
        ("weight_decay",),
        alternatives=_of(AUTHOR, "weight_decay"),
        source="Former-DFER, on whose code this line of work builds. The author's later code and IAL decay a thousand "
        "times more: at this learning rate that is a strong pull on the weights, and the figures depend on it",
    ),
    Choice("momentum", ("momentum",), alternatives="any below 1", source="every peer that uses SGD"),
    Choice(
        "decay rate of the learning rate",
        ("schedule", "gamma"),
        alternatives=_of(AUTHOR, "schedule", "step_epochs", "gamma") + "; `gamma: 0.906`, which comes to the same",
        source='"an exponential rate" has no number; DFEW\'s authors multiply by this one every epoch',
    ),
    Choice("gradient clipping", ("clip_norm",), alternatives="any norm", source="the paper names none"),
    Choice(
        "initialisation",
        text="DFEW from scratch: convolutions after He et al., positions from a normal distribution",
        alternatives="`--initial FOLDER`",
        source="the author's code; the paper names no pretraining for DFEW",
    ),
    Choice(
        "random cropping",
        ("augment.area", "augment.ratio"),
        alternatives="area 0.08 to 1, ratio 3/4 to 4/3 (Former-DFER); 0.85 to 1, 3/5 to 5/3 (IAL)",
        source="the author's code",
    ),
    Choice(
        "horizontal flipping",
        ("augment.flip",),
        alternatives="0 to 1",
        source="the paper has no number; one half is usual",
    ),
    Choice(
        "color jittering",
        ("augment.brightness", "augment.contrast"),
        "one draw for all frames of a clip",
        alternatives="none (Former-DFER)",
        source="the author's code changes brightness only",
    ),
    Choice(
        "rotation",
        ("augment.rotation",),
        "degrees, either way",
        alternatives="`augment.rotation: 0`, as the paper lists none",
        source="the author's code turns clips together with the colour change",
    ),
    Choice(
        "frames of a segment",
        ("sampling.pick",),
        "from a random place of each segment in training, in the middle in testing",
        alternatives="`sampling.pick: random`: any V frames of a segment, in order, as the paper words it",
        source="\"randomly pick V frames from each segment\" is read as the author's code and Former-DFER's do it",
    ),
    Choice(
        "input normalisation",
        text="none: values 0 to 1",
        alternatives="none offered; pretrained peers subtract ImageNet's mean",
        source="the author's code, Former-DFER, IAL",
    ),
    Choice(
        "short clips",
        ("min_frames",),
        "clips of fewer are not used for training; sampling repeats frames of short ones",
        alternatives=_of(AUTHOR, "min_frames")
        + ", for learning only: every clip is tested, so that figures stay comparable",
        source="the paper is silent; DFEW has 14 clips under 16 frames. The author's code drops those "
        "that its lists call so short, from testing too",
    ),
    Choice(
        "order of clips",
        ("seed",),
        "a new permutation every epoch; the last batch may be smaller",
        alternatives="any seed",
        source="peers shuffle, about half of them without a seed",
    ),
    Choice(
        "oversampling",
        ("oversample",),
        alternatives=_of(OVERSAMPLED, "oversample") + ": as many draws as clips, every emotion equally likely",
        source="the paper prints both, not how; the author's code imports a sampler that draws so, unused",
    ),
    Choice(
        "which epoch counts",
        text="both: the last epoch (honest), the best on the test fold (paper)",
        alternatives="`nrdfer evaluate --protocol`; `validation: 0.1` holds out training clips to choose epoch and "
        "thresholds on (validated)",
        source="published figures pick the best epoch on the test fold, mostly without saying so",
    ),
    Choice(
        "AFEW: weight decay, decay rate",
        ("weight_decay", "schedule", "gamma"),
        alternatives="as for DFEW",
        source="the same as for DFEW: the paper names learning rate and epochs only",
        recipe=AFEW,
    ),
    Choice(
        "AFEW: augmentation",
        ("augment.area", "augment.flip", "augment.brightness", "augment.rotation"),
        alternatives="as for DFEW",
        source="the same as for DFEW: the paper has one list for both",
        recipe=AFEW,
    ),
    Choice(
        "AFEW: initial weights",
        text="the last epoch of DFEW's fold 1, all weights",
        alternatives="`--initial FOLDER`, `--initial none`; in a profile `initial: {afew: none}`",
        source="the paper names the fold, not the epoch; with the last one nothing is chosen on test clips",
        recipe=AFEW,
    ),
)


def choice_row(choice: Choice, recipe: Recipe | None = None) -> list[str]:
    """Cells below `HEADER`; values are the given recipe's, else those of the paper's."""
    return [choice.point, choice.chosen(recipe), choice.alternatives, choice.source]


def recipe_row(recipe: Recipe) -> list[str]:
    """Cells below `RECIPES_HEADER`; the last holds every other field that differs from the defaults."""
    columns = {"name", "epochs", "batch", "optimizer", "lr", "weight_decay", "schedule"}
    schedule = {"exponential": ("gamma",), "step": ("gamma", "step_epochs"), "onecycle": ("warmup",)}[recipe.schedule]
    cells = [recipe.epochs, recipe.batch, recipe.optimizer, recipe.lr, recipe.weight_decay]
    besides = formatted(recipe, *(name for name in _changed(recipe) if name not in columns and name not in schedule))
    return [f"`{recipe.name}`", *map(_plain, cells), f"{recipe.schedule}: {formatted(recipe, *schedule)}", besides]


def _changed(recipe: Recipe) -> list[str]:
    names: list[str] = []
    for field in dataclasses.fields(Recipe):
        value, default = getattr(recipe, field.name), getattr(Recipe(), field.name)
        if dataclasses.is_dataclass(value):
            inner = (f.name for f in dataclasses.fields(value) if getattr(value, f.name) != getattr(default, f.name))
            names += [f"{field.name}.{name}" for name in inner]
        elif value != default:
            names.append(field.name)
    return names


def choices_markdown(recipe: Recipe) -> str:
    """The table of choices with the values of one recipe, as Markdown; AFEW's rows only for AFEW's recipes."""
    fine_tuned = corpus.AFEW.name in recipe.name
    return table(HEADER, [choice_row(row, recipe) for row in CHOICES if fine_tuned or row.recipe != AFEW])
