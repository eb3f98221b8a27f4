"""Holo's files: how objects are written and read, and how files survive a killed process.

Here live the HDF5 schema, its `Reader` and `Writer`, tables, and files that appear whole or not at all. Objects may
enter, but nothing about how they were made. What leaves is exported by `holo_types`, except for `atomic` and `locks`,
which other packages also use.

A file holds one object. The attributes of the root describe it; its arrays are datasets whose first axis is the rows::

    /               format = "holo", schema_version = 2, kind = "Holograms" ..., complete = True or False,
                    header = JSON of basis, channels, grid or model, basis_digest (of Holograms),
                    datasets = JSON list of the paths of all datasets except checksums, columns in order
                    settings = JSON of the settings that the writer was given, if any
                    header_digest = SHA-256 of the other attributes
    /fields/NAME    float32, float64, or bool (degenerate); chunked, gzip; offsets [n+1] int64
    /index/NAME     int64, float32, float64, or text as variable-length UTF-8
    /points/NAME    columns of the points of PointClouds: as in index, or bool
    /checksums      uint32 [chunks, datasets]: one for each chunk of each dataset, in the order of ``datasets``

An object that is none of the four types is a `NamedArrays`: its arrays are fields, each with its own rows.

A checksum is the CRC-32 of a chunk's decoded values: numbers as they lie in memory, in little-endian order, and text as
UTF-8 with a NUL after each item. It starts from the CRC-32 of the dataset's path, a blank and the chunk's number. Every
commit continues the checksum of the chunk that it fills up, and every read verifies the chunks that it touches.

`containment` describes what is refused before it is read.

``complete`` is false until the `Writer` is closed. `journal` describes how a file survives a killed writer.

Schema version 1 can be read but is no longer written. It has neither ``checksums`` nor ``header_digest``, keeps the
order of the index's columns in ``columns``, and calls ``reconstruction_cosine_loss`` ``reconstruction_cosine``.
"""
