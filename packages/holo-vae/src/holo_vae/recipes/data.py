"""Which data set a recipe names, and how it is split."""

from typing import Literal

import attrs

from holo_types import HoloError

from .bounds import at_least

__all__ = ["DataConfig", "MnistData", "ShapeData", "StructureData"]


@attrs.frozen(kw_only=True)
class MnistData:
    """Spherical MNIST, from the idx files as they are published (or a data set in their form).

    Parameters
    ----------
    kind
        Says that it is this data set.
    rotation
        How the training images are turned: ``"fixed"``, all alike (NR); ``"each"``, at random (R). Those of
        validation and test are always turned at random.
    validation_rows
        How many training images, the last ones, are kept aside for validation.
    bandwidth
        The bandwidth of the Driscoll-Healy grid.
    seed
        The seed of the rotations.
    """

    kind: Literal["mnist"]
    rotation: Literal["fixed", "each"] = "fixed"
    validation_rows: int = attrs.field(default=6000, validator=at_least(1))
    bandwidth: int = attrs.field(default=30, validator=at_least(1))
    seed: int = attrs.field(default=0, validator=at_least(0))

    @property
    def one_pose(self) -> bool:
        """Whether all training rows lie in one pose."""
        return self.rotation == "fixed"


@attrs.frozen(kw_only=True)
class StructureData:
    """Protein structures, and a table that says which of them are for what.

    The table is ``index.tsv``: text columns between tabs, their names in the first line. ``file`` names a
    structure file, by its path from the table or anywhere below it; ``split`` is ``train``, ``valid`` or ``test``.

    Parameters
    ----------
    kind
        Says that it is such a data set.
    columns
        Further columns of the table that the holograms' index is to have, as text.
    hetero
        Whether neighborhoods hold ligands, ions and nucleic acids too, those of `ligand` among them.
    pose
        How the neighborhoods to train on lie: ``"file"``, as in the files; ``"backbone"``, all in the pose of
        their residue's backbone, see `holo_features.surroundings.poses`. Those of validation and test lie as in
        the files.
    alike
        A further column of the table, for `ViewsConfig.pairs`: structures that have the same value are of one protein,
        or relatives, and residues that the alignment of their sequences puts beside one another are a pair.
    ligand
        A further column of the table, for files that hold the surroundings of a pocket only: it names a file with the
        ligand, relative to the table's folder, and only residues with an atom within 6 Å of it are taken. Empty: all
        residues are. With views only.
    """

    kind: Literal["structures"]
    columns: tuple[str, ...] = ()
    hetero: bool = False
    pose: Literal["file", "backbone"] = "file"
    alike: str | None = None
    ligand: str | None = None

    @property
    def one_pose(self) -> bool:
        """Whether all training rows lie in one pose."""
        return self.pose == "backbone"


@attrs.frozen(kw_only=True)
class ShapeData:
    """Triangle meshes of classes, in the layout of ModelNet or of SHREC17, see `holo_features.mesh_set`.

    Meshes that the folder says nothing of are to train on. Where it has none for validation, a part of the training
    meshes is kept aside; where it has none for the test, there is none. The classes are written down, never learned
    from.

    Parameters
    ----------
    kind
        Says that it is such a data set.
    rotation
        How the training meshes are turned: ``"fixed"``, not at all (NR); ``"each"``, at random (R). Those of
        validation and test are always turned at random.
    copies
        How many copies of each training mesh there are beside itself, stretched and bent at random.
    stretch, noise
        How strongly, see `holo_features.deformed`.
    validation_fraction
        The share of the training meshes that is kept aside where the folder names none for validation.
    bandwidth
        The bandwidth of the Driscoll-Healy grid of rays.
    seed
        The seed of rotations, copies, and of which meshes are kept aside.
    """

    kind: Literal["shapes"]
    rotation: Literal["fixed", "each"] = "fixed"
    copies: int = attrs.field(default=8, validator=at_least(0))
    stretch: float = attrs.field(default=0.2, validator=at_least(0.0))
    noise: float = attrs.field(default=0.1, validator=at_least(0.0))
    validation_fraction: float = attrs.field(default=0.15)
    bandwidth: int = attrs.field(default=90, validator=at_least(1))
    seed: int = attrs.field(default=0, validator=at_least(0))

    @validation_fraction.validator
    def _check_fraction(self, attribute: "attrs.Attribute[float]", value: float) -> None:
        if not 0 < value < 1:
            raise HoloError(f"ShapeData.{attribute.name} is {value}; it must lie between 0 and 1")

    @property
    def one_pose(self) -> bool:
        """Whether all training rows lie in one pose: meshes stand as their files have them."""
        return self.rotation == "fixed"


DataConfig = MnistData | StructureData | ShapeData
