"""Errors whose messages are written for users.

Add a class here when callers need to distinguish one kind of failure from another. Messages say what is wrong, where,
and what to do; they are composed where the failure is detected, not here.
"""

from nrdfer.core.redaction import hide


class NrdferError(Exception):
    """Base of all errors caused by input, settings or the machine rather than by a defect of this project."""

    def __str__(self) -> str:
        """The message; never with a password or a token in it."""
        return hide(super().__str__())


class CorpusError(NrdferError):
    """A corpus folder or a label file is missing, incomplete or contradictory."""


class UnreadablePictureError(CorpusError):
    """A picture of a corpus is damaged; its clip is excluded, the others continue."""


class UnreadableVideoError(NrdferError):
    """A video cannot be opened or decoded."""


class MachineError(UnreadableVideoError):
    """A video was not read because of the machine: ffmpeg was killed, got no time, or had no file handle left.

    It is no information about the video, so it must not be stored as a video's result.
    """


class NoFaceError(NrdferError):
    """A clip shows no usable face, and the settings say that this is an error."""


class WeightsError(NrdferError):
    """A weights file is missing, is not what it claims to be, or does not fit the network."""


class AbsentWeightsError(WeightsError):
    """A published weights file is not on this machine, and was not downloaded."""


class StoreError(NrdferError):
    """An artefact is missing, damaged, or could not be written completely."""


class NotOursError(NrdferError):
    """A file or folder that this project did not make, or that was changed since, is in the way; it stays unchanged."""


class ProfileError(NrdferError):
    """A profile does not exist or holds a setting that is not understood."""


class PluginError(NrdferError):
    """A network or a detector of another package or of a user's file cannot be used, or does not answer as it must."""


class TrainingError(NrdferError):
    """Training cannot continue (a loss that is not a number, a checkpoint that does not fit)."""


class TrainingLost(TrainingError):  # noqa: N818 - the training is not at fault
    """A machine or a process of a training over several was lost; the same call continues from its checkpoint."""


class TrainingStopped(NrdferError):  # noqa: N818 - no failure: a stop on request
    """A training was stopped on request after it had saved its state; the same call continues it."""


class DeviceError(NrdferError):
    """The GPU is full or failed; the data being processed is not at fault."""


class TrackingError(NrdferError):
    """MLflow does not answer where nothing can continue without it."""


class AddressError(TrackingError):
    """MLflow's address cannot be used; waiting does not help."""


class ClipError(NrdferError, ValueError):
    """A tensor does not hold clips as a network takes them."""


class EncodingError(NrdferError):
    """A video could not be written; its content is not at fault."""
