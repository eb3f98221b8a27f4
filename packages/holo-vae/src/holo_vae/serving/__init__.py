"""The content of a request for embeddings, its limits, and a model behind MLflow's scoring server.

The rows of a request enter; embeddings leave, or one clear error.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .service import ServedModel


def _load_pyfunc(data_path: str) -> "ServedModel":
    """Load a model folder (MLflow's entry point, since logged models name this package)."""
    from .service import _load_pyfunc as load  # noqa: PLC0415 - processes that decode need neither torch nor mlflow

    return load(data_path)
