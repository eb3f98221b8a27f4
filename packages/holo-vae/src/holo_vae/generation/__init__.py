"""What a model generates from z, and how good it is: samples, interpolations, traversals, the canonical frame.

Models and holograms enter; holograms and scores leave. Nothing here reads or writes files.
"""
