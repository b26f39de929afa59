"""Base of the models that MLflow serves."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

from mlflow.pyfunc.model import PythonModel


class ServedModel(PythonModel):
    """A model whose registered signature defines its input.

    MLflow would rather see that in type hints, of a few kinds, and warns of others wherever the class is imported.
    """

    @property
    @abstractmethod
    def emotions(self) -> tuple[str, ...]:
        """The network's label set, which the answer's columns name."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        with warnings.catch_warnings(record=True):  # it resets filters, so there is no ignoring it
            super().__init_subclass__(**kwargs)
