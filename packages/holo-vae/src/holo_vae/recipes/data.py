"""The data set that a recipe names, and how it is split."""

from typing import Literal

import attrs

from holo_types import HoloError

from .bounds import at_least

__all__ = ["DataConfig", "MnistData", "ShapeData", "StructureData"]


@attrs.frozen(kw_only=True)
class MnistData:
    """Spherical MNIST, made from the published idx files (or from a data set of the same form).

    Parameters
    ----------
    kind
        Identifies this kind of data set.
    rotation
        How the training images are rotated: ``"fixed"``, all in one orientation (NR); ``"each"``, at random (R). Those
        of validation and test are always rotated at random.
    validation_rows
        How many training images, taken from the end, are set aside for validation.
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
        """Whether all training rows have the same pose."""
        return self.rotation == "fixed"


@attrs.frozen(kw_only=True)
class StructureData:
    """Protein structures, with a table that assigns them to training, validation and test.

    The table is ``index.tsv``: text columns separated by tabs, with their names in the first line. ``file`` names a
    structure file, by its path from the table or anywhere below it; ``split`` is ``train``, ``valid`` or ``test``.

    Parameters
    ----------
    kind
        Identifies this kind of data set.
    columns
        Further columns of the table that are copied to the holograms' index, as text.
    hetero
        Whether neighborhoods also hold ligands, ions and nucleic acids, including those of `ligand`.
    pose
        The pose of the neighborhoods for training: ``"file"``, as in the files; ``"backbone"``, all in the pose of
        their residue's backbone, see `holo_features.surroundings.poses`. Those of validation and test keep the pose of
        the files.
    alike
        A further column of the table, for `ViewsConfig.pairs`: structures with the same value are of one protein, or of
        relatives, and residues that are aligned in their sequences form a pair.
    ligand
        A further column of the table, for files that hold the surroundings of a pocket only: it names a file with the
        ligand, relative to the table's folder, and only residues with an atom within 6 Å of the ligand are used. If
        empty, all residues are used. Only for training with views.
    """

    kind: Literal["structures"]
    columns: tuple[str, ...] = ()
    hetero: bool = False
    pose: Literal["file", "backbone"] = "file"
    alike: str | None = None
    ligand: str | None = None

    @property
    def one_pose(self) -> bool:
        """Whether all training rows have the same pose."""
        return self.pose == "backbone"


@attrs.frozen(kw_only=True)
class ShapeData:
    """Triangle meshes with classes, in the layout of ModelNet or of SHREC17, see `holo_features.mesh_set`.

    Meshes that the folder does not assign to a split are used for training. If it has none for validation, a part of
    the training meshes is set aside; if it has none for the test, there is no test split. The classes are recorded, but
    never learned from.

    Parameters
    ----------
    kind
        Identifies this kind of data set.
    rotation
        How the training meshes are rotated: ``"fixed"``, not at all (NR); ``"each"``, at random (R). Those of
        validation and test are always rotated at random.
    copies
        How many copies of each training mesh, stretched and bent at random, are added to it.
    stretch, noise
        The strength of these deformations, see `holo_features.deformed`.
    validation_fraction
        The share of the training meshes that is set aside if the folder names none for validation.
    bandwidth
        The bandwidth of the Driscoll-Healy grid of rays.
    seed
        The seed of the rotations, of the copies, and of the choice of meshes that are set aside.
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
        """Whether all training rows have the same pose: meshes keep the pose of their files."""
        return self.rotation == "fixed"


DataConfig = MnistData | StructureData | ShapeData
