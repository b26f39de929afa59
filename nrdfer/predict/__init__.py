"""Prediction for any videos: preprocessing as in training, the network, windows over time, tables and annotated video.

What is done for a corpus belongs to ``nrdfer.preprocessing``; how a network is served, to ``nrdfer.serving``. The
package can be called: ``nrdfer.predict("video.mp4")`` is `nrdfer.predict.api.predict`.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nrdfer.predict.result import Prediction


class _CallablePackage(ModuleType):
    """The package itself, which has the name of what it is for."""

    def __call__(self, video: Any, **options: Any) -> "Prediction":
        """See `nrdfer.predict.api.predict`."""
        from nrdfer.predict.api import predict

        return predict(video, **options)


sys.modules[__name__].__class__ = _CallablePackage
