"""What a model is and how it is trained: frozen classes that read and write YAML."""

from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
import cattrs
import yaml

from holo_types import Basis, FormatError, HoloError

__all__ = [
    "ModelConfig",
    "Recipe",
    "TrainingConfig",
    "read_recipe",
    "structure",
    "unstructure",
    "write_recipe",
]

Connectivity = Literal["efficient", "full"]
ChannelRule = Literal["elementwise", "full"]


def _at_least(bound: int | float) -> Any:  # attrs' validators have no public type
    def check(instance: object, attribute: "attrs.Attribute[float]", value: int | float) -> None:
        if not value >= bound:
            raise HoloError(
                f"{type(instance).__name__}.{attribute.name} is {value!r}; it must be at least {bound}"
            )

    return check


@attrs.frozen(kw_only=True)
class ModelConfig:
    """The architecture of a holographic autoencoder.

    The encoder has one block per entry of `lmax` and `channels`; the decoder mirrors it.

    Parameters
    ----------
    basis
        The basis of the holograms that the model takes.
    latent_dim
        Length of the invariant embedding z.
    lmax
        Highest degree after each encoder block; it never rises, at most halves (rounded up), and ends in 1.
    channels
        Multiplicity of every degree after each encoder block.
    initial_projection
        Multiplicity to which a linear layer first brings every degree; None for no such layer.
    variational
        Whether z is drawn from a learned normal distribution (H-VAE) or is a point (H-AE).
    connectivity
        Which pairs of degrees the tensor squares couple.
    channel_rule
        Whether the tensor squares couple each channel with itself or all pairs.

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

    basis: Basis
    latent_dim: int = attrs.field(validator=_at_least(1))
    lmax: tuple[int, ...]
    channels: tuple[int, ...]
    initial_projection: int | None = None
    variational: bool = False
    connectivity: Connectivity = "efficient"
    channel_rule: ChannelRule = "elementwise"

    def __attrs_post_init__(self) -> None:
        if not self.lmax or len(self.lmax) != len(self.channels):
            raise HoloError(
                f"ModelConfig: lmax has {len(self.lmax)} entries and channels {len(self.channels)}; "
                "both must have one per block, at least one"
            )
        before = self.basis.lmax
        for after in self.lmax:
            if not after <= before <= 2 * after:
                raise HoloError(
                    f"ModelConfig.lmax goes from {before} to {after}; a block may keep it or lower it to half"
                )
            before = after
        if self.lmax[-1] != 1:
            raise HoloError(f"ModelConfig.lmax ends in {self.lmax[-1]}; it must end in 1, the frame's degree")
        if min(self.channels) < 1 or (self.initial_projection is not None and self.initial_projection < 1):
            raise HoloError(
                f"ModelConfig: channels {self.channels} and initial_projection {self.initial_projection} "
                "must be at least 1"
            )
        multiplicities = {multiplicity for multiplicity, _ in self.basis.irreps}
        if self.initial_projection is None and self.channel_rule == "elementwise" and len(multiplicities) > 1:
            raise HoloError(
                "ModelConfig.initial_projection is None; elementwise channels need the same multiplicity in "
                f"every degree, and the basis has {self.basis.irreps}"
            )


@attrs.frozen(kw_only=True)
class TrainingConfig:
    """How a model is trained: Adam, a warm-up and a cosine schedule to zero, gradient clipping.

    Parameters
    ----------
    epochs, batch_size, seed
        As usual; the same seed on the same machine gives the same weights.
    learning_rate, warmup_steps, gradient_clip
        Adam's peak rate, the steps over which it rises, and the largest gradient norm.
    reconstruction_weight
        α, the weight of the mean squared error.
    kl_weight
        β, the final weight of KL / latent_dim (variational models only).
    kl_start, kl_warmup
        β is 0 for `kl_start` epochs, then rises linearly over `kl_warmup` epochs.
    validation_fraction, group_column
        Share of the groups (rows with one value in this index column) kept aside to choose the best
        checkpoint. Rows of one group are never on both sides.

    Raises
    ------
    HoloError
        If a value is out of range.
    """

    epochs: int = attrs.field(default=30, validator=_at_least(1))
    batch_size: int = attrs.field(default=128, validator=_at_least(2))
    learning_rate: float = attrs.field(default=1e-3, validator=_at_least(0.0))
    warmup_steps: int = attrs.field(default=50, validator=_at_least(0))
    gradient_clip: float = attrs.field(default=5.0, validator=_at_least(1e-12))
    reconstruction_weight: float = attrs.field(default=50.0, validator=_at_least(0.0))
    kl_weight: float = attrs.field(default=0.0, validator=_at_least(0.0))
    kl_start: int = attrs.field(default=0, validator=_at_least(0))
    kl_warmup: int = attrs.field(default=0, validator=_at_least(0))
    validation_fraction: float = attrs.field(default=0.15)
    group_column: str = "structure"
    seed: int = attrs.field(default=0, validator=_at_least(0))

    @validation_fraction.validator
    def _check_fraction(self, _attribute: object, value: float) -> None:
        if not 0 < value < 1:
            raise HoloError(f"TrainingConfig.validation_fraction is {value}; it must lie between 0 and 1")

    def kl_weight_at(self, epoch: int) -> float:
        """Give β in an epoch, counted from 0."""
        rise = (epoch + 1 - self.kl_start) / max(self.kl_warmup, 1)
        return self.kl_weight * min(max(rise, 0.0), 1.0)


@attrs.frozen(kw_only=True)
class Recipe:
    """A model and its training, as one YAML file holds them.

    Examples
    --------
    >>> recipe = structure(
    ...     {"model": {"basis": {"lmax": 1, "radial": None, "channels": ["image"]},
    ...                "latent_dim": 2, "lmax": [1], "channels": [4]}}, Recipe)
    >>> recipe.training.batch_size
    128
    """

    model: ModelConfig
    training: TrainingConfig = attrs.field(factory=TrainingConfig)

    def __attrs_post_init__(self) -> None:
        training = self.training
        if self.model.variational and training.kl_start + training.kl_warmup > training.epochs:
            raise HoloError(
                f"TrainingConfig: kl_start {training.kl_start} and kl_warmup {training.kl_warmup} go beyond the "
                f"{training.epochs} epochs; a variational model needs an epoch at the full KL weight"
            )


ConfigT = TypeVar("ConfigT", ModelConfig, TrainingConfig, Recipe)

_converter = cattrs.Converter(forbid_extra_keys=True)


def _exact(value: object, kind: type[object]) -> object:
    # cattrs would convert: 2.7 to 2, "false" to True. A setting that is silently another is worse than none.
    if type(value) is not kind:
        raise HoloError(f"is {value!r}; it must be of type {kind.__name__}")
    return value


for _kind in (int, bool, str):
    _converter.register_structure_hook(_kind, _exact)


def _is_tuple(kind: Any) -> bool:
    origin: object = get_origin(kind)
    return origin is tuple


def _sequence(value: object, kind: Any) -> object:
    (item, _) = get_args(kind)
    if not isinstance(value, list | tuple):
        raise HoloError(f"is {value!r}; it must be a list")
    return tuple(_converter.structure(each, item) for each in value)


_converter.register_structure_hook_func(_is_tuple, _sequence)


def structure(plain: object, kind: type[ConfigT]) -> ConfigT:
    """Make a configuration from plain values; unknown keys are refused by name.

    Raises
    ------
    HoloError
        Naming every key that is unknown, missing or wrong.
    """
    if not isinstance(plain, dict):
        raise HoloError(f"{kind.__name__}: is {plain!r}; it must be a mapping of settings")
    try:
        return _converter.structure(plain, kind)
    except cattrs.BaseValidationError as error:
        # A value that our own classes refuse says best itself what is wrong.
        own = [str(leaf) for leaf in _leaves(error) if isinstance(leaf, HoloError)]
        raise HoloError("; ".join(own or cattrs.transform_error(error, kind.__name__))) from None


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for child in error.exceptions for leaf in _leaves(child)]
    return [error]


def unstructure(config: ModelConfig | TrainingConfig | Recipe) -> dict[str, Any]:
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
