"""What a model is and how it is trained: frozen classes that read and write YAML."""

from pathlib import Path
from typing import Any, Literal, TypeVar

import attrs
import cattrs
import yaml

from holo_types import Basis, FormatError, HoloError

from .structuring import WrongValueError, complaints, strict_converter

__all__ = [
    "BlocksConfig",
    "ClassifierConfig",
    "Condition",
    "DataSet",
    "MnistData",
    "ModelConfig",
    "Recipe",
    "StructureData",
    "TrainingConfig",
    "read_recipe",
    "structure",
    "unstructure",
    "write_recipe",
]

Connectivity = Literal["efficient", "full"]
ChannelRule = Literal["elementwise", "full"]
BlockNorm = Literal["signal", "layer", "instance"]


def _at_least(bound: int | float) -> Any:  # attrs' validators have no public type
    def check(instance: object, attribute: "attrs.Attribute[float]", value: int | float) -> None:
        if not value >= bound:
            raise HoloError(
                f"{type(instance).__name__}.{attribute.name} is {value!r}; it must be at least {bound}"
            )

    return check


@attrs.frozen(kw_only=True)
class Condition:
    """What a conditional model is told beside z: which category a row is of.

    Parameters
    ----------
    column
        The index column that says it.
    categories
        The column's values, in the order of the one-hot vector.

    Raises
    ------
    HoloError
        If there are fewer than two categories, or one comes twice.
    """

    column: str
    categories: tuple[int | str, ...]

    def __attrs_post_init__(self) -> None:
        if len(self.categories) < 2 or len(set(self.categories)) < len(self.categories):
            raise HoloError(
                f"Condition.categories are {self.categories}; they must be at least 2, each given once"
            )


@attrs.frozen(kw_only=True)
class BlocksConfig:
    """What every network of blocks has: the sizes after each block, and what a block is made of.

    Parameters
    ----------
    basis
        The basis of the holograms that the network takes.
    lmax
        Highest degree after each block; it never rises and at most halves (rounded up).
    channels
        Multiplicity of every degree after each block.
    initial_projection
        Multiplicity to which a linear layer first brings every degree; None for no such layer.
    connectivity
        Which pairs of degrees the tensor squares couple: one rule, or one for each block.
    channel_rule
        Whether the tensor squares couple each channel with itself or all pairs: one rule, or one for each
        block.
    batch_norm
        Whether each block begins with a batch norm.
    norm
        The norm between a block's tensor square and its linear layer; None for none.
    skip
        Whether a block's input is added to its output.

    Raises
    ------
    HoloError
        If a value is out of range or the lists do not fit.
    """

    basis: Basis
    lmax: tuple[int, ...]
    channels: tuple[int, ...]
    initial_projection: int | None = None
    connectivity: Connectivity | tuple[Connectivity, ...] = "efficient"
    channel_rule: ChannelRule | tuple[ChannelRule, ...] = "elementwise"
    batch_norm: bool = True
    norm: BlockNorm | None = "signal"
    skip: bool = True

    def __attrs_post_init__(self) -> None:
        name = type(self).__name__
        if not self.lmax or len(self.lmax) != len(self.channels):
            raise HoloError(
                f"{name}: lmax has {len(self.lmax)} entries and channels {len(self.channels)}; "
                "both must have one per block, at least one"
            )
        before = self.basis.lmax
        for after in self.lmax:
            if not after <= before <= 2 * max(after, 1):
                raise HoloError(
                    f"{name}.lmax goes from {before} to {after}; a block may keep it or lower it to half"
                )
            before = after
        if min(self.channels) < 1 or (self.initial_projection is not None and self.initial_projection < 1):
            raise HoloError(
                f"{name}: channels {self.channels} and initial_projection {self.initial_projection} "
                "must be at least 1"
            )
        for field in ("connectivity", "channel_rule"):
            rules = getattr(self, field)
            if isinstance(rules, tuple) and len(rules) != len(self.lmax):
                raise HoloError(
                    f"{name}.{field} has {len(rules)} rules; there must be one, or one for each of the "
                    f"{len(self.lmax)} blocks"
                )
        multiplicities = {multiplicity for multiplicity, _ in self.basis.irreps}
        if (
            self.initial_projection is None
            and self.channel_rules[0] == "elementwise"
            and len(multiplicities) > 1
        ):
            raise HoloError(
                f"{name}.initial_projection is None; elementwise channels need the same multiplicity in "
                f"every degree, and the basis has {self.basis.irreps}"
            )
        first = self.initial_projection or self.basis.irreps.blocks[0][0]
        if self.norm == "layer" and (0, 1) in zip(
            (self.basis.lmax, *self.lmax[:-1]), (first, *self.channels[:-1]), strict=True
        ):
            raise HoloError(
                f"{name}.norm is 'layer' and a block takes one channel of degree 0 alone, which a layer norm "
                "would centre to zero; there must be two or more"
            )

    @property
    def connectivities(self) -> tuple[Connectivity, ...]:
        """The rule of each block's degrees."""
        rules = self.connectivity
        return rules if isinstance(rules, tuple) else (rules,) * len(self.lmax)

    @property
    def channel_rules(self) -> tuple[ChannelRule, ...]:
        """The rule of each block's channels."""
        rules = self.channel_rule
        return rules if isinstance(rules, tuple) else (rules,) * len(self.lmax)


@attrs.frozen(kw_only=True)
class ModelConfig(BlocksConfig):
    """The architecture of a holographic autoencoder.

    The encoder has one block per entry of `lmax` and `channels`; the decoder mirrors it. What every network of
    blocks has is described in `BlocksConfig`.

    Parameters
    ----------
    latent_dim
        Length of the invariant embedding z.
    variational
        Whether z is drawn from a learned normal distribution (H-VAE) or is a point (H-AE).
    bottleneck
        Widths of hidden layers between the last block's scalars and z; the decoder mirrors them.
    condition
        What the decoder is told beside z (conditional H-VAE); None for nothing.

    Raises
    ------
    HoloError
        If a value is out of range or the lists do not fit.

    Examples
    --------
    >>> from holo_types import Zernike
    >>> basis = Basis(lmax=2, radial=Zernike(nmax=4, cutoff=10.0), channels=("C", "N"))
    >>> config = ModelConfig(basis=basis, latent_dim=8, lmax=(2, 1), channels=(6, 8), initial_projection=6)
    >>> structure(unstructure(config), ModelConfig) == config
    True
    """

    latent_dim: int = attrs.field(validator=_at_least(1))
    variational: bool = False
    bottleneck: tuple[int, ...] = ()
    condition: Condition | None = None

    def __attrs_post_init__(self) -> None:
        BlocksConfig.__attrs_post_init__(self)  # a class with slots is made anew, which super() would miss
        if self.lmax[-1] != 1:
            raise HoloError(f"ModelConfig.lmax ends in {self.lmax[-1]}; it must end in 1, the frame's degree")
        if self.bottleneck and min(self.bottleneck) < 1:
            raise HoloError(f"ModelConfig.bottleneck is {self.bottleneck}; widths must be at least 1")


@attrs.frozen(kw_only=True)
class ClassifierConfig(BlocksConfig):
    """The architecture of the supervised network: blocks, their invariants, a dense head.

    What every network of blocks has is described in `BlocksConfig`.

    Parameters
    ----------
    classes
        The index column that is learned, and its values.
    hidden
        Widths of the head's hidden layers.

    Raises
    ------
    HoloError
        If a value is out of range or the lists do not fit.
    """

    classes: Condition
    hidden: tuple[int, ...] = ()

    def __attrs_post_init__(self) -> None:
        BlocksConfig.__attrs_post_init__(self)  # a class with slots is made anew, which super() would miss
        if self.hidden and min(self.hidden) < 1:
            raise HoloError(f"ClassifierConfig.hidden is {self.hidden}; widths must be at least 1")


@attrs.frozen(kw_only=True)
class TrainingConfig:
    """How a network is trained.

    Parameters
    ----------
    epochs, batch_size, seed
        As usual; the same seed on the same machine gives the same weights.
    optimizer, learning_rate, weight_decay
        Adam or AdamW, its peak rate, and AdamW's decay.
    schedule
        How the learning rate goes on after the warm-up, step by step: ``"cosine"``, to zero at the end;
        ``"exponential"``, falls tenfold over `decay_epochs` epochs and stays; ``"plateau"``, is divided by ten
        when the validation loss has not fallen for `plateau_patience` epochs; ``"constant"``.
    warmup_steps, decay_epochs, plateau_patience
        See `schedule`.
    gradient_clip
        The largest gradient norm.
    reconstruction_weight
        α, the weight of the mean squared error.
    frame_weight
        γ, the weight of the mean squared difference between a row's frame and the coordinate axes. For training
        rows that all lie in one pose (digits that are not turned, residues in the pose of their backbone); 0
        where poses mean nothing.
    kl_weight
        β, the final weight of KL / latent_dim (variational models only).
    kl_start, kl_warmup
        β is 0 for `kl_start` epochs, then rises linearly over `kl_warmup` epochs.
    masking
        The share of (channel, degree) blocks of the input that are set to zero, all orders m together, while
        the whole is to be reconstructed (denoising).
    ema_decay
        Decay, per step, of the exponential moving average of the weights, which is then what is validated and
        kept; None for no average.
    early_stopping
        Epochs without a lower validation loss after which training ends; None for never.
    precision
        ``"mixed"``: matrix products in bfloat16, weights and norms in float32.
    compile
        Whether the network goes through `torch.compile`.
    checkpoint_minutes
        How often the run's state is written, beside the end of each epoch.
    shuffle_rows
        Rows that are shuffled among one another in memory; data of more rows is streamed.
    validation_fraction, group_column
        Where no validation data is given: the share of the groups (rows with one value in this index column)
        that is kept aside to choose the best weights. Rows of one group are never on both sides.
    cluster_column
        The index column that says which groups are alike, so that they are not to count for more than one: an
        epoch then takes of each cluster a sample of as many rows as its groups have on average, see
        `holo_vae.clusters`. No cluster is on both sides of a split. None where all rows count alike.

    Raises
    ------
    HoloError
        If a value is out of range.
    """

    epochs: int = attrs.field(default=30, validator=_at_least(1))
    batch_size: int = attrs.field(default=128, validator=_at_least(2))
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float = attrs.field(default=1e-3, validator=_at_least(0.0))
    weight_decay: float = attrs.field(default=0.0, validator=_at_least(0.0))
    schedule: Literal["cosine", "exponential", "plateau", "constant"] = "cosine"
    warmup_steps: int = attrs.field(default=50, validator=_at_least(0))
    decay_epochs: int = attrs.field(default=25, validator=_at_least(1))
    plateau_patience: int = attrs.field(default=5, validator=_at_least(1))
    gradient_clip: float = attrs.field(default=5.0, validator=_at_least(1e-12))
    reconstruction_weight: float = attrs.field(default=50.0, validator=_at_least(0.0))
    frame_weight: float = attrs.field(default=0.0, validator=_at_least(0.0))
    kl_weight: float = attrs.field(default=0.0, validator=_at_least(0.0))
    kl_start: int = attrs.field(default=0, validator=_at_least(0))
    kl_warmup: int = attrs.field(default=0, validator=_at_least(0))
    masking: float = attrs.field(default=0.0)
    ema_decay: float | None = attrs.field(default=None)
    early_stopping: int | None = attrs.field(default=None, validator=attrs.validators.optional(_at_least(1)))
    precision: Literal["float32", "float64", "mixed"] = "float32"
    compile: bool = False
    checkpoint_minutes: float = attrs.field(default=10.0, validator=_at_least(0.0))
    shuffle_rows: int = attrs.field(default=500_000, validator=_at_least(2))
    validation_fraction: float = attrs.field(default=0.15)
    group_column: str = "structure"
    cluster_column: str | None = None
    seed: int = attrs.field(default=0, validator=_at_least(0))

    @validation_fraction.validator
    @masking.validator
    @ema_decay.validator
    def _check_share(self, attribute: "attrs.Attribute[float]", value: float | None) -> None:
        least = 0.0 if attribute.name == "masking" else 1e-12
        if value is not None and not least <= value < 1:
            raise HoloError(f"TrainingConfig.{attribute.name} is {value}; it must lie between 0 and 1")

    def kl_weight_at(self, epoch: int) -> float:
        """Give β in an epoch, counted from 0."""
        rise = (epoch + 1 - self.kl_start) / max(self.kl_warmup, 1)
        return self.kl_weight * min(max(rise, 0.0), 1.0)


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
        Of the Driscoll-Healy grid.
    seed
        Of the rotations.
    """

    kind: Literal["mnist"]
    rotation: Literal["fixed", "each"] = "fixed"
    validation_rows: int = attrs.field(default=6000, validator=_at_least(1))
    bandwidth: int = attrs.field(default=30, validator=_at_least(1))
    seed: int = attrs.field(default=0, validator=_at_least(0))

    @property
    def one_pose(self) -> bool:
        """Whether all training rows lie in one pose."""
        return self.rotation == "fixed"


@attrs.frozen(kw_only=True)
class StructureData:
    """Protein structures, and a table that says which of them are for what.

    The table is ``index.tsv``: text columns between tabs, their names in the first line. ``file`` names a
    structure file, which lies in the table's folder or below; ``split`` is ``train``, ``valid`` or ``test``.

    Parameters
    ----------
    kind
        Says that it is such a data set.
    columns
        Further columns of the table that the holograms' index is to have, as text.
    hetero
        Whether neighbourhoods hold ligands, ions and nucleic acids too.
    pose
        How the neighbourhoods to train on lie: ``"file"``, as in the files; ``"backbone"``, all in the pose of
        their residue's backbone, see `holo_features.poses`. Those of validation and test lie as in the files.
    """

    kind: Literal["structures"]
    columns: tuple[str, ...] = ()
    hetero: bool = False
    pose: Literal["file", "backbone"] = "file"

    @property
    def one_pose(self) -> bool:
        """Whether all training rows lie in one pose."""
        return self.pose == "backbone"


DataSet = MnistData | StructureData


@attrs.frozen(kw_only=True)
class Recipe:
    """A network and its training, as one YAML file holds them; where `data` is given, on which data set.

    Examples
    --------
    >>> recipe = structure(
    ...     {"model": {"basis": {"lmax": 1, "radial": None, "channels": ["image"]},
    ...                "latent_dim": 2, "lmax": [1], "channels": [4]}}, Recipe)
    >>> recipe.training.batch_size
    128
    """

    model: ModelConfig | ClassifierConfig
    training: TrainingConfig = attrs.field(factory=TrainingConfig)
    data: DataSet | None = None

    def __attrs_post_init__(self) -> None:
        training, model = self.training, self.model
        if training.frame_weight and self.data is not None and not self.data.one_pose:
            raise HoloError(
                f"TrainingConfig.frame_weight is {training.frame_weight}, and the data's training rows lie in many "
                "poses; frames can be pulled to the axes only where they lie in one (MnistData.rotation 'fixed', "
                "StructureData.pose 'backbone')"
            )
        if (
            isinstance(model, ModelConfig)
            and model.variational
            and training.kl_start + training.kl_warmup > training.epochs
        ):
            raise HoloError(
                f"TrainingConfig: kl_start {training.kl_start} and kl_warmup {training.kl_warmup} go beyond the "
                f"{training.epochs} epochs; a variational model needs an epoch at the full KL weight"
            )


ConfigT = TypeVar("ConfigT", ModelConfig, ClassifierConfig, TrainingConfig, Recipe)

_converter = strict_converter()


def _network(value: object, _: Any) -> object:
    kind = ClassifierConfig if isinstance(value, dict) and "classes" in value else ModelConfig
    return _converter.structure(value, kind)


_converter.register_structure_hook(ModelConfig | ClassifierConfig, _network)


def _data_set(value: object, _: Any) -> object:
    if value is None:
        return None
    given = value.get("kind", "mnist") if isinstance(value, dict) else "mnist"
    for name, kind in (("mnist", MnistData), ("structures", StructureData)):
        if given == name:
            return _converter.structure(value, kind)
    raise HoloError(f"data.kind is {given!r}; it must be 'mnist' or 'structures'")


_converter.register_structure_hook(DataSet | None, _data_set)


def structure(plain: object, kind: type[ConfigT]) -> ConfigT:
    """Make a configuration from plain values; unknown keys are refused by name.

    Raises
    ------
    HoloError
        Naming every key that is unknown, missing or wrong: ``training.epochs is 'ten'; it must be an integer``.
    """
    try:
        return _converter.structure(plain, kind)
    except (cattrs.BaseValidationError, WrongValueError) as error:
        raise HoloError("; ".join(complaints(error))) from None


def unstructure(config: ModelConfig | ClassifierConfig | TrainingConfig | Recipe) -> dict[str, Any]:
    """Give a configuration as plain values, as YAML and JSON store it."""
    plain: dict[str, Any] = yaml.safe_load(yaml.safe_dump(_listed(_converter.unstructure(config))))
    return plain


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


def read_recipe(path: Path | str) -> Recipe:
    """Read a recipe from YAML.

    Raises
    ------
    FormatError
        If the file cannot be read or is no YAML.
    HoloError
        If a key is unknown, missing or wrong.
    """
    try:
        plain = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FormatError(f"{path}: cannot be read as YAML ({error})") from None
    try:
        return structure(plain, Recipe)
    except HoloError as error:
        raise HoloError(f"{path}: {error}") from None


def write_recipe(recipe: Recipe, path: Path | str) -> None:
    """Write a recipe as YAML."""
    Path(path).write_text(yaml.safe_dump(unstructure(recipe), sort_keys=False), encoding="utf-8")
