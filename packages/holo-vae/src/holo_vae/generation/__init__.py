"""What a model makes of z itself, and what it is worth: samples, interpolations, traversals, the canonical frame.

Models and holograms enter, holograms and scores leave. Nothing here reads or writes files.
"""
