"""The pages about weights and data agree with the catalogue, the shipped files and the counted label files."""

from __future__ import annotations

import hashlib
import importlib.util
import re

from nrdfer.corpora.published import AFEW_EMOTIONS, DFEW_CLIPS, DFEW_EMOTIONS, DFEW_NOMINAL
from nrdfer.corpora.registry import CORPORA
from nrdfer.weights.catalogue import CATALOGUE
from tests.conftest import PROJECT

ZOO = (PROJECT / "docs" / "model_zoo.md").read_text()
DATA = (PROJECT / "docs" / "data_statement.md").read_text()


def test_the_tables_of_weights_are_current() -> None:
    spec = importlib.util.spec_from_file_location("docs_model_zoo", PROJECT / "scripts/docs/model_zoo.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.page() == ZOO, "run: python -m scripts.docs.model_zoo"


def test_every_entry_of_the_catalogue_and_every_shipped_file_has_a_row() -> None:
    rows = [line for line in ZOO.splitlines() if line.startswith("| ")]
    for entry in CATALOGUE.values():
        (row,) = [row for row in rows if row.startswith(f"| `{entry.name}` |")]
        assert entry.content_id in row and entry.licence in row
    files = sorted((PROJECT / "nrdfer/weights").rglob("*.safetensors"))
    assert files
    for path in files:
        (row,) = [row for row in rows if row.startswith(f"| [{path.name}]")]
        assert hashlib.sha256(path.read_bytes()).hexdigest()[:16] in row


def test_every_corpus_that_is_read_is_in_the_data_statement() -> None:
    described = {re.sub(r"\W", "", name).lower() for name in re.findall(r"^\| ([\w-]+) \| ", DATA, re.MULTILINE)}
    assert {corpus.partition("_")[0] for corpus in CORPORA} <= described


def test_counts_in_the_data_statement_are_the_counted_ones() -> None:
    text = " ".join(DATA.split())
    for number in (DFEW_CLIPS, DFEW_NOMINAL, *DFEW_EMOTIONS.values()):
        assert f"{number:,}" in text
    assert f"{DFEW_EMOTIONS['disgust']} of disgust ({100 * DFEW_EMOTIONS['disgust'] / DFEW_CLIPS:.1f} %)" in text
    assert f"{DFEW_EMOTIONS['fear']} of fear ({100 * DFEW_EMOTIONS['fear'] / DFEW_CLIPS:.1f} %)" in text
    train, validation = (sum(AFEW_EMOTIONS[part].values()) for part in ("train", "val"))
    assert f"{train} to train, {validation} to validate" in text
    *most, last = (str(AFEW_EMOTIONS["val"][emotion]) for emotion in DFEW_EMOTIONS)
    assert f"validates on {', '.join(most)} and {last} clips" in text


def test_sources_in_the_data_statement_exist() -> None:
    body, _, sources = DATA.partition("## Sources")
    numbers = {int(number) for group in re.findall(r"\[(\d(?:, \d)*)\]", body) for number in group.split(", ")}
    assert numbers == {int(number) for number in re.findall(r"^(\d)\. ", sources, re.MULTILINE)}


def test_neither_page_contains_a_path_of_a_machine() -> None:
    assert not re.search(r"/(?:home|root|work|tmp)/", ZOO + DATA)
