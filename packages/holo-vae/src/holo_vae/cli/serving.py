"""``holo-vae serve``."""

# torch takes seconds to import: it is imported by the commands, so that --help is quick.
# ruff: noqa: PLC0415

import os
from typing import Annotated

from holo_types.extras import extra
from holo_types.options import (
    Together,
)
from holo_vae.web.settings import Settings, check_variables

__all__ = ["serve_command"]

_DEFAULTS = Settings()


def serve_command(*, settings: Annotated[Settings, Together] = _DEFAULTS) -> int:
    """Serve a model: structures or holograms go in, and one row per residue or hologram comes out.

    Parameters
    ----------
    settings
        Settings of the service.
    """
    with extra("holo-vae[serving]"):
        from holo_vae.web.server import serve

    check_variables(os.environ)
    serve(settings)
    return 0
