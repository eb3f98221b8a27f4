"""The objects that cross package borders, in memory.

Here live the frozen classes of numpy arrays, the descriptions of their columns and coefficients, and the function that
joins them. Arrays may enter, which are checked when an object is made; nothing that concerns files may. What leaves is
exported by `holo_types`.
"""
