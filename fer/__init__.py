"""Facial expressions, live: find the faces of a frame and name what they show."""

from fer.annotation import ExpressionAnnotator, FaceView
from fer.classification import ExpressionClassifier
from fer.detection import HaarFaceDetector
from fer.errors import (
    DatasetError,
    DisplayError,
    FerError,
    ModelError,
    OutputError,
    SourceError,
    TrainingError,
)
from fer.expressions import EXPRESSIONS, Expression, FaceState
from fer.pipeline import ExpressionPipeline

__all__ = [
    "EXPRESSIONS",
    "DatasetError",
    "DisplayError",
    "Expression",
    "ExpressionAnnotator",
    "ExpressionClassifier",
    "ExpressionPipeline",
    "FaceState",
    "FaceView",
    "FerError",
    "HaarFaceDetector",
    "ModelError",
    "OutputError",
    "SourceError",
    "TrainingError",
]
