"""Predictions and scores from embeddings."""

import lazy_loader

# Importing scikit-learn takes a second, so each name imports its module when it is first used.
# The names and their modules are in __init__.pyi.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
