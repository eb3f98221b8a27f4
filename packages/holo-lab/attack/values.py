"""The contents of objects, for comparisons to the bit."""

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import torch

__all__ = ["said", "same"]


def said(value: Any) -> Any:
    """Return the whole content of an object as plain values that can be compared."""
    if attrs.has(type(value)):
        return {name: said(each) for name, each in attrs.asdict(value, recurse=False).items()}
    if isinstance(value, Mapping):
        return {name: said(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [said(each) for each in value]
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    return (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def same(one: Any, other: Any) -> bool:
    """Return whether two objects have the same content."""
    return bool(said(one) == said(other))
