"""Model card of a registered version: what it is, its training data, its metrics, and its intended use.

Built from given facts only; the text is the same in MLflow's page and in ``model_card.md`` beside the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nrdfer.core.markdown_text import code, plain, table
from nrdfer.corpora.registry import find_corpus

MOST = 5000  # characters that MLflow keeps of a description
RENDERED, DISTRIBUTED, OWN = "rendered", "distributed", "own"  # whose data a corpus is
_LICENCES = {
    RENDERED: (
        "The data were rendered by this project: no person is shown, and no licence is needed. What is measured on "
        "them is comparable to nothing that was published."
    ),
    DISTRIBUTED: (
        "{corpus} is distributed by its authors under a research licence; weights trained on it may be used as that "
        "licence allows. Faces are personal data: ask before these weights or figures leave your group."
    ),
    OWN: (
        "The clips of {corpus} are a user's own, and so are their labels and their terms. Faces are personal data: ask "
        "the people shown before these weights or figures leave your group."
    ),
}


@dataclass(frozen=True)
class CardFacts:
    """Facts that a model card states.

    Attributes:
        title: of the network.
        model: registered model's name.
        split: of the corpus.
        corpus: in `nrdfer.corpora.registry`.
        profile: its name.
        data: whose data the corpus is: `RENDERED` by this project, `DISTRIBUTED` by its authors, or a user's `OWN`.
        frames: of a clip that the network takes, T.
        clips: ``train`` and ``test`` -> how many.
        initial: description of the initial weights.
        recipe: fields of the recipe.
        preprocessing: fields that turn a video into crops.
        metrics: protocol -> metrics of `nrdfer.evaluation.protocols.fold_metrics`.
        epochs: protocol -> the epoch its weights are of.
        links: name -> address, of what made it.
        image_size: side of a frame, pixels.
        calibration: of the version's weights on the test clips, by `nrdfer.evaluation.class_figures.summary`.
    """

    title: str
    model: str
    split: str
    corpus: str
    profile: str
    data: str
    frames: int
    clips: Mapping[str, int]
    initial: str
    recipe: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]
    epochs: Mapping[str, int]
    links: Mapping[str, str] = field(default_factory=dict)
    image_size: int = 112
    calibration: Mapping[str, Any] = field(default_factory=dict)


def write_card(facts: CardFacts) -> str:
    """The card as Markdown, short enough for MLflow's description."""
    known = find_corpus(facts.corpus)
    corpus, only = known.title, len(known.splits) == 1
    of = f"{corpus}'s own division" if only else f"fold {known.fold(facts.split)} of {corpus}"
    links = ", ".join(f"[{name}]({address})" for name, address in facts.links.items())
    sections = {
        f"{facts.title}: {facts.model}, {facts.split}": (
            f"Dynamic facial expression recognition: {facts.frames} frames of one face in, one of "
            f"{len(facts.metrics['honest']['recalls'])} emotions out. Profile "
            f"{code(facts.profile)}.\n\nMade by: {links}. Every link back to the videos: `nrdfer lineage "
            f"models:/{facts.model}@{'champion' if only else facts.split}`."
        ),
        "Figures": _figures(facts),
        "Data": (
            f"Trained on {facts.clips['train']} clips and tested on {facts.clips['test']}, {of}. Started from "
            f"{facts.initial}. {_LICENCES[facts.data].format(corpus=corpus)}"
        ),
        "Recipe": _plain(facts.recipe),
        "Preprocessing of videos": _plain(facts.preprocessing),
        "Use": (
            f"Input: aligned face crops, (B, {facts.frames}, 3, {facts.image_size}, {facts.image_size}), RGB, 0 to 1 "
            "or 8-bit; crops of another size are resized. Output: one row per clip with the emotion, its probabilities "
            "after the snippet-based filter, and the logits before it. The weights are the last epoch's. "
            f"For videos: `nrdfer predict VIDEO --model models:/{facts.model}@champion`."
        ),
        "Meant for": (
            "Research on expressions in video, and comparison of methods under the two protocols named above. A "
            "person's face is not their feeling: not for judging people, hiring, policing, health, or watching "
            "anyone without their consent."
        ),
        "Limits": (
            "One face per clip. Acted or cinematic expressions; rare classes are recognised far less "
            "often than the mean suggests. Crops aligned in another way lower its figures. "
            f"{_calibration(facts.calibration)} Behaviour across age, skin and sex was not measured."
        ),
    }
    text = "\n\n".join(f"{'#' if i == 0 else '##'} {head}\n\n{body}" for i, (head, body) in enumerate(sections.items()))
    return text if len(text) <= MOST else text[: MOST - 4] + " ..."


def _figures(facts: CardFacts) -> str:
    header = ("protocol", "weights", "WAR", "UAR", "WAR, no filter", "UAR, no filter", "clips")
    rows = []
    meaning = {
        "honest": "last epoch",
        "paper": "best epoch on the test clips",
        "validated": "best epoch on held-out training clips, and the filter's thresholds",
    }
    for protocol, metrics in facts.metrics.items():
        numbers = (metrics[key] for key in ("war", "uar", "war_unfiltered", "uar_unfiltered"))
        weights = f"{meaning[protocol]} ({facts.epochs[protocol]})"
        rows.append([protocol, weights, *(f"{100 * number:.2f}" for number in numbers), str(metrics["clips"])])
    each = ", ".join(
        f"{plain(name)} {'-' if recall is None else f'{100 * recall:.1f}'}"
        for name, recall in facts.metrics["honest"]["recalls"].items()
    )
    return f"{table(header, rows, numbers=5)}\n\nRecall of each emotion, honest protocol: {each}. Per cent."


def _calibration(measured: Mapping[str, Any]) -> str:
    """How far the probabilities may be trusted, as far as it was measured."""
    if not measured:
        return "Probabilities are not calibrated."
    text = (
        f"Probabilities are not calibrated: their expected calibration error (ECE) on the test clips is "
        f"{100 * measured['ece']:.1f} points"
    )
    if "temperature" not in measured:
        return f"{text}; no clips were held out to fit a temperature on."
    return (
        f"{text}. Logits divided by the temperature {measured['temperature']:.3f}, which was fitted on held-out "
        f"training clips, have {100 * measured['ece_at_temperature']:.1f}."
    )


def _plain(values: Mapping[str, Any], prefix: str = "") -> str:
    """Settings on one line."""
    parts = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            parts.append(_plain(value, f"{prefix}{key}."))
        else:
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            parts.append(f"{prefix}{key} {plain(text) if isinstance(value, str) else text}")
    return ", ".join(part for part in parts if part)
