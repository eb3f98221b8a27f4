"""What all tests share: properties are checked without a clock, for machines are shared and noisy."""

import importlib.util

if importlib.util.find_spec("hypothesis"):  # the examples of the docs are tested without it
    from hypothesis import settings

    settings.register_profile("thorough", deadline=None)  # of the sessions `newest` and `oldest`
    settings.register_profile("holo", deadline=None, max_examples=25)
    settings.load_profile("holo")
