"""The file that MLflow runs to load a registered model: it names the wrapper and nothing else.

Loading from code plus safetensors means that no pickle is ever opened.
"""

from mlflow.models import set_model

from nrdfer.serving.emotion_model import EmotionModel

set_model(EmotionModel())
