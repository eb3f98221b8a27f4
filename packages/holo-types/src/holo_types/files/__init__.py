"""Holo's files: what reads and writes the objects, and how a killed process leaves them whole.

Here live the HDF5 schema, its `Reader` and `Writer`, tables, and files that appear whole or not at all. Objects may
enter, and nothing of how they were made; what leaves is exported by `holo_types`, but for `atomic` and `locks`, which
other packages use too.

A file holds one object: what it is as attributes of the root, its arrays as datasets of one row each along the first
axis::

    /               format = "holo", schema_version = 2, kind = "Holograms" ..., complete = True or False,
                    header = JSON of basis, channels, grid or model, basis_digest (of Holograms),
                    datasets = JSON list of the paths of all datasets but checksums, columns in order
                    settings = JSON of what the writer was told of how the rows are made, if anything
                    header_digest = SHA-256 of the other attributes
    /fields/NAME    float32, float64, or bool (degenerate); chunked, gzip; offsets [n+1] int64
    /index/NAME     int64, float32, float64, or text as variable-length UTF-8
    /points/NAME    columns of the points of PointClouds: as in index, or bool
    /checksums      uint32 [chunks, datasets]: of each chunk of each dataset, in the order of ``datasets``

A kind that is none of the four types is a `NamedArrays`: its arrays are fields, each with rows of its own.

A checksum is the CRC-32 of a chunk's values, decoded: numbers as they lie in memory, little end first, text as UTF-8
with a NUL after each; it begins with that of the dataset's path, a blank and the chunk's number. Every commit continues
the checksum of the chunk that it fills up, and every read compares those of the chunks that it touches.

`containment` says what is refused before it is read.

``complete`` is false while a `Writer` has not been closed. `journal` says how a killed writer is survived.

Schema version 1, which is read and no longer written, has neither ``checksums`` nor ``header_digest``, keeps the order
of the index's columns in ``columns``, and calls ``reconstruction_cosine_loss`` ``reconstruction_cosine``.
"""
