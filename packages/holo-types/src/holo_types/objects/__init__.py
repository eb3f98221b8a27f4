"""The objects that cross package borders, in memory.

Here live the frozen classes of numpy arrays, what their columns and coefficients mean, and how they are joined. Arrays
that are checked when an object is made may enter, and nothing of files; what leaves is exported by `holo_types`.
"""
