"""The parts of the page that no result changes: what is measured, how, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nrdfer.config.noise import NoiseSettings

COMMAND = "nrdfer run noise_benchmark"

HEAD = f"""# Robustness against noise

The paper is about two kinds of noisy frames: N1, frames that do not show the target's face (no face, a covered one,
another person's), and N2, neutral frames in clips of another emotion. It shows in pictures that its dynamic class
token (DCT) attends little to N1, and argues that its snippet-based filter (SF) helps against N2. In real clips the
noisy frames are unknown. In rendered ones every frame is known, so both can be measured:

    {COMMAND}

Its size is the profile's field `noise` (`nrdfer/config/noise.py`): `small` is the default and meant for two cores,
`full` (in the profile `paper`) is for a GPU. Trainings are stored like all others: running the command again trains
nothing. The job makes this page; `make figures` copies it."""

LIMITS = """## Limits

Faces are rendered, noise is of the kinds that were inserted, and the small setting's network is narrow and sees few
clips. The results show what these mechanisms do under known conditions; only measurements on DFEW can show whether
they do so there.

Frozen features separate the token from the rest, and so leave out what the rest learns because of the token: a
network that is trained end to end may place noise where its token does not look. That is what the second stage is
for, whose intervals are wider.

The end-to-end networks learn from arm a alone. Emotions are equally frequent among the test clips, so WAR and UAR are
equal here, and a filter that loses neutral clips loses less than where neutral is frequent. Attention and use are of
the features as the stage
gets them; what a feature's own two frames were, it may have forgotten."""


def how(values: Mapping[str, Any]) -> str:
    """What is done, with the settings of the findings, or of the small preset."""
    small = NoiseSettings()
    s = {name: values.get(name, getattr(small, name)) for name in NoiseSettings.__dataclass_fields__}
    shortest, longest = s["frames"]
    return f"""## How

- **Clips.** Rendered people act each of the seven emotions in clips of {shortest} to {longest} frames. The clips of
  {s["test_people"]} people are rendered once for every level of noise: the same people, expressions, light and
  camera; besides the noise, only the camera's grain and what covers or replaces a face are redrawn. Frames that are
  N1 at one level are N1 at every higher one; another person's face is neutral as often as it acts. N2 shortens the
  time for which the emotion is shown. The shards do not record which frames are noise.
- **Training clips** of {s["training_people"]} other people come in three arms of equal size: (a) with noise as in the
  sample corpus, {100 * s["training_n1"]:.0f} % N1 and {100 * s["training_n2_clips"]:.0f} % of the clips mostly
  neutral; (b) without any noise; (c) as a, with {100 * s["neutral_share"]:.0f} % neutral clips, as in DFEW, instead
  of a seventh.
- **Stage 1, mechanism.** {s["backbones"]} networks that classify the mean of a clip's features, without a token,
  learn from clips without noise of {s["backbone_people"]} further people, and are frozen. On their features temporal
  stages are trained: with a learned token, with the dynamic one, with the mean of what the encoders return and no
  token, and with a dynamic token whose mean lacks one frame, drawn anew at each training step (whole in testing).
  Each of the four in each arm, on each frozen network, {s["stage_seeds"]} times. The four of one seed start from the
  same weights and see the same clips in the same order.
- **Stage 2, end to end.** The four networks of Table 1 (with and without DSF, with and without DCT), {s["seeds"]}
  times each, on arm a; the four of one seed start from the same weights. Each is read with and without SF: the
  settings a to h. The last epoch counts; nothing is chosen on test clips.
- **Attention on N1** is read as the paper's product over layers and heads, as their mean, and as rollout (products of
  layers with their shortcuts), and held against use: a frame's feature is replaced by the mean of the clip's, and the
  true emotion's logit changes; sizes of changes are shared out like attention. A feature represents two frames; it
  counts as N1 if the first is, from which its static part comes.
- **The filter** can only take neutral away, so that it calls fewer clips neutral proves nothing. It is held against
  as many vetoes of clips called neutral at random: is a clip that is not neutral vetoed more often than one that is
  (selectivity), how many neutral clips are lost, and does WAR gain more than by chance.
- **Intervals** are of new networks and new people: a table of backbones (or seeds) by people has two mean squares,
  which add up, and few degrees of freedom where backbones differ. Clips are averaged within people, and stages within
  backbones.
- **Verdicts.** {len(s["contrasts"])} claims were named before anything was run (`nrdfer/config/noise.py`; their
  sha256 is in the result). A claim holds or is contradicted if its p-value survives Holm's correction over them; if
  not, there is no difference beyond the margin of {s["margin"]:g} points if the whole 95 % interval is within it; else
  the claim is undecided. All other figures have intervals, uncorrected, and no verdict. The order of Table 1 is one
  test (Page's L, against all orders of whole trainings).

A test draws 400 benchmarks with known true values, and counts how often the intervals contain them and how often a
family of false
claims, or a filter that vetoes at random, is announced (`tests/unit/noise/test_noise_statistics.py`)."""
