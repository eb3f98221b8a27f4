"""Jobs that start from a user's files, need several of Holo's packages, and end in something to look at."""

import lazy_loader

# torch takes seconds to import, so the module of a name is imported when the name is first used.
# The names and their modules are in __init__.pyi.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
