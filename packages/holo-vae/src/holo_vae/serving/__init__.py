"""A model behind MLflow's scoring server: what it answers, what it refuses, and the guard before it.

Requests with structures or holograms enter; embeddings leave, or one clear error.
"""

from .service import _load_pyfunc as _load_pyfunc  # MLflow's entry point: logged models name this package
