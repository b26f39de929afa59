"""The file that MLflow runs to load a model of videos: it names the wrapper and nothing else.

Loading from code plus safetensors means that no pickle is ever opened.
"""

from mlflow.models import set_model

from nrdfer.serving.video_model import VideoModel

set_model(VideoModel())
