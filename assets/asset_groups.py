"""Asset groups in the order in which data passes them: owners, and the form of descriptions.

Keep here: names of groups, their owners, the form of a description. Keep out: the text of a description (it is with its
asset).
"""

from dataclasses import dataclass

from nrdfer.corpora.base import Corpus


@dataclass(frozen=True)
class AssetGroup:
    """One group of assets."""

    name: str  # the UI sorts groups by name, hence the numbers of the main job's
    owner: str
    summary: str  # one sentence, for readers new to the graph


CORPORA = AssetGroup("step_1_corpora", "team:data", "The two corpora as they are on disk: every file and its sha256.")
FACES = AssetGroup("step_2_faces", "team:data", "AFEW's videos become aligned face crops, brightened by EnlightenGAN.")
SHARDS = AssetGroup("step_3_shards", "team:data", "Faces of both corpora as WebDataset shards, and DFEW's five folds.")
TRAINING = AssetGroup("step_4_training", "team:training", "A network per fold, and AFEW's, which begins with fold 1's.")
EVALUATION = AssetGroup(
    "step_5_evaluation", "team:evaluation", "WAR and UAR under both protocols, and model versions in MLflow's registry."
)
REPORT = AssetGroup("step_6_report", "team:evaluation", "One page with the paper's tables and figures beside ours.")
TABLES = AssetGroup("tables", "team:evaluation", "Beside the main job: the paper's tables, each a job of its own.")
NOISE = AssetGroup(
    "noise", "team:evaluation", "Beside the main job: what noisy frames do to each network; a job of its own."
)
PREDICTION = AssetGroup(
    "prediction", "team:serving", "Beside the main job: emotions of your own videos; a job of its own."
)

MAIN = (CORPORA, FACES, SHARDS, TRAINING, EVALUATION, REPORT)  # of the job full_reproduction, in this order
BESIDE = (TABLES, NOISE, PREDICTION)


def group_of(corpus: Corpus, step: AssetGroup) -> str:
    """The group that a corpus's assets of a step are shown in: a corpus outside the paper has one of its own."""
    return step.name if corpus.of_paper else further_group(corpus).name


def further_group(corpus: Corpus) -> AssetGroup:
    """The group of a corpus outside the paper, with all of its assets."""
    return AssetGroup(
        corpus.name,
        "team:data",
        f"Beside the main job: {corpus.title}, from its files to its figures; a job of its own.",
    )


def overview() -> str:
    """The main job's groups as a numbered list in Markdown."""
    return "\n".join(f"{number}. `{group.name}`: {group.summary}" for number, group in enumerate(MAIN, 1))


def description(what: str, made_of: str, look_at: str) -> str:
    """An asset's description in the common form.

    Args:
        what: it is; the first sentence is also shown on the asset's box in the graph.
        made_of: its inputs, and what decides how it is made.
        look_at: metadata of its materialisations, in backticks, and pages elsewhere, with their meaning.
    """
    return f"{what}\n\n**Made of** {made_of}\n\n**Look at** {look_at}"
