"""What a request for embeddings holds and what is refused, and a model behind MLflow's scoring server.

The rows of a request enter; embeddings leave, or one clear error.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .service import ServedModel


def _load_pyfunc(data_path: str) -> "ServedModel":
    """Load a model folder (MLflow's entry point: logged models name this package)."""
    from .service import _load_pyfunc as load  # noqa: PLC0415 - the processes that decode need neither torch nor mlflow

    return load(data_path)
