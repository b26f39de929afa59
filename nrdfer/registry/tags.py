"""Names of a registered version's tags: its identity, its metrics, and its lineage.

Keep here: names. Keep out: their values.
"""

CHECKPOINT = "nrdfer.checkpoint_digest"  # the checkpoint's artefact in the store; identity of the version
FILES = "nrdfer.files"  # JSON: path of every file of the version -> sha256
CODE = "nrdfer.code"  # JSON: the code that registered it, see `nrdfer.runtime.code_version`
CONFIG = "nrdfer.config_digest"  # of the resolved profile
DATA = "nrdfer.data_digest"  # the shards' artefact
FOLD = "nrdfer.fold"
PROFILE = "nrdfer.profile"
EVALUATION = "nrdfer.evaluation_digest"
EVALUATED_BY = "nrdfer.evaluation_run"  # Dagster run that evaluated and registered it
TEST_CLIPS = "nrdfer.test_clips"  # how many clips its figures come from
WAR = "war_honest"
EPOCH = "nrdfer.epoch"  # whose weights it has
OF = "nrdfer.of"  # of a version that takes videos: the version whose weights it has
ROLE = "nrdfer.kind"  # "crops": takes aligned crops; "video": takes videos
