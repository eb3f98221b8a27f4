from ._version import __version__ as __version__
from .errors import (
    FormatError as FormatError,
    HoloError as HoloError,
)
from .files.parts import (
    PartsWriter as PartsWriter,
)
from .files.reader import (
    Reader as Reader,
    load as load,
    open as open,
)
from .files.schema import (
    SCHEMA_VERSION as SCHEMA_VERSION,
)
from .files.tables import (
    read_table as read_table,
    to_table as to_table,
    write_table as write_table,
)
from .files.writer import (
    Writer as Writer,
    save as save,
)
from .objects.basis import (
    AngularNormalization as AngularNormalization,
    Basis as Basis,
    PointNormalization as PointNormalization,
    RadialNormalization as RadialNormalization,
    Zernike as Zernike,
)
from .objects.columns import (
    Index as Index,
    PointColumns as PointColumns,
    RowSelection as RowSelection,
)
from .objects.embeddings import (
    Embeddings as Embeddings,
    ModelReference as ModelReference,
)
from .objects.frames import (
    in_frame as in_frame,
    rotation_between as rotation_between,
    turn_frame as turn_frame,
)
from .objects.holograms import (
    Holograms as Holograms,
)
from .objects.irreps import (
    Irreps as Irreps,
)
from .objects.joining import (
    Data as Data,
    concatenate as concatenate,
)
from .objects.named_arrays import (
    NamedArrays as NamedArrays,
)
from .objects.point_clouds import (
    PointClouds as PointClouds,
)
from .objects.sphere_images import (
    Grid as Grid,
    SphereImages as SphereImages,
)
