"""What all tests share: properties are checked without a clock, for machines are shared and noisy.

A change is judged on the same examples as the change before it; every night they are drawn at random.
"""

import importlib.util

if importlib.util.find_spec("hypothesis"):  # the examples of the docs are tested without it
    from hypothesis import settings

    settings.register_profile("random", deadline=None, max_examples=100)
    settings.register_profile("holo", deadline=None, max_examples=25, derandomize=True)
    settings.load_profile("holo")
