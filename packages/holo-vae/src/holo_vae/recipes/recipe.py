"""A recipe: a model and its training, as stored in one YAML file."""

from pathlib import Path
from typing import Any, TypeVar

import attrs
import cattrs
import yaml
from cattrs.gen import make_dict_unstructure_fn, override

from holo_types import HoloError, Zernike
from holo_types.files.atomic import replacing
from holo_types.reading import reads

from .conversion import WrongValueError, complaints, strict_converter
from .data import DataConfig, MnistData, ShapeData, StructureData
from .model import ClassifierConfig, ModelConfig
from .training import TrainingConfig
from .views import ViewsConfig
from .yaml_files import read_yaml

__all__ = ["Recipe", "from_plain", "read_recipe", "to_plain", "write_recipe"]


@attrs.frozen(kw_only=True)
class Recipe:
    """A network and its training, as stored in one YAML file; `data`, if given, is the data set to train on.

    Examples
    --------
    >>> recipe = from_plain(
    ...     {"model": {"basis": {"lmax": 1, "radial": None, "channels": ["image"]},
    ...                "latent_dim": 2, "lmax": [1], "channels": [4]}}, Recipe)
    >>> recipe.training.batch_size
    128
    """

    model: ModelConfig | ClassifierConfig
    training: TrainingConfig = attrs.field(factory=TrainingConfig)
    data: DataConfig | None = None
    views: ViewsConfig | None = None

    def __attrs_post_init__(self) -> None:
        training, model = self.training, self.model
        self._check_views()
        if isinstance(model, ModelConfig):
            self._check_weights(model)
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

    def _check_weights(self, model: ModelConfig) -> None:
        """Refuse weights for other heads or channels than those of the model."""
        weights, heads = self.training.head_weight, len(model.heads)
        if isinstance(weights, tuple) and len(weights) != heads:
            raise HoloError(
                f"TrainingConfig.head_weight has {len(weights)} values; there must be one, or one for each of the "
                f"{heads} heads"
            )
        of_channels, channels = self.training.channel_weights, model.basis.channels
        if of_channels is not None and len(of_channels) != len(channels):
            raise HoloError(
                f"TrainingConfig.channel_weights has {len(of_channels)} values; there must be one for each of the "
                f"channels {', '.join(channels)}"
            )

    def _check_views(self) -> None:
        """Refuse views that the model or the data cannot have."""
        views, training, data = self.views, self.training, self.data
        if views is None:
            if isinstance(data, StructureData) and data.alike is not None:
                raise HoloError(
                    "data.alike says which rows are views of one another; the recipe has no views"
                )
            return
        if not isinstance(self.model, ModelConfig):
            raise HoloError("views are for an autoencoder; the recipe's model is a classifier")
        if self.model.basis.radial is None:
            self._check_views_on_spheres(views)
            return
        if views.whitened:
            raise HoloError(
                "views.whitened is for images on a sphere; the model's basis is one of surroundings"
            )
        if data is not None and not isinstance(data, StructureData):
            raise HoloError(f"views of surroundings need structures; data.kind is {data.kind!r}")
        if views.pairs and (training.masking or self.model.variational):
            raise HoloError("views.pairs cannot be combined with training.masking or a variational model")
        if views.pairs and isinstance(data, StructureData) and data.alike is None:
            raise HoloError(
                "views.pairs is above 0; data.alike must name the column of structures that are alike"
            )

    def _check_views_on_spheres(self, views: ViewsConfig) -> None:
        """Refuse views of images on a sphere that would have to be made anew: there, the rows of a group are views."""
        if made := [
            name
            for name in ("noise", "without_own_atoms", "without_side_chain", "pairs")
            if getattr(views, name)
        ]:
            raise HoloError(
                f"views.{made[0]} is of surroundings; on spheres rows of one {self.training.group_column} are views of "
                "one another, and only invariance, variance and covariance can be asked of them"
            )
        if not (views.two or views.whitened):
            raise HoloError(
                "views have no effect; one of invariance, variance and covariance must be above 0, or whitened true"
            )
        assert isinstance(self.model, ModelConfig)
        if views.whitened and (self.model.variational or self.model.condition is not None):
            raise HoloError(
                "views.whitened is for an H-AE; the model must be neither variational nor conditional"
            )
        if isinstance(self.data, ShapeData) and not self.data.copies:
            raise HoloError(
                "data.copies is 0 and the recipe has views; there must be copies to serve as views of a mesh"
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
    for name, kind in (("mnist", MnistData), ("structures", StructureData), ("shapes", ShapeData)):
        if given == name:
            return _converter.structure(value, kind)
    raise HoloError(f"data.kind is {given!r}; it must be 'mnist', 'structures' or 'shapes'")


_converter.register_structure_hook(DataConfig | None, _data_set)
# Without an envelope, a basis is written as before envelopes existed, so that models keep their digests.
_converter.register_unstructure_hook(
    Zernike, make_dict_unstructure_fn(Zernike, _converter, envelope=override(omit_if_default=True))
)

# The same holds for recipes without views.
_converter.register_unstructure_hook(
    StructureData,
    make_dict_unstructure_fn(
        StructureData,
        _converter,
        alike=override(omit_if_default=True),
        ligand=override(omit_if_default=True),
    ),
)
_converter.register_unstructure_hook(
    ModelConfig,
    make_dict_unstructure_fn(
        ModelConfig,
        _converter,
        heads=override(omit_if_default=True),
        spectrum=override(omit_if_default=True),
    ),
)
_converter.register_unstructure_hook(
    TrainingConfig,
    make_dict_unstructure_fn(
        TrainingConfig,
        _converter,
        channel_weights=override(omit_if_default=True),
        head_weight=override(omit_if_default=True),
    ),
)
_converter.register_unstructure_hook(
    ViewsConfig, make_dict_unstructure_fn(ViewsConfig, _converter, whitened=override(omit_if_default=True))
)
_converter.register_unstructure_hook(
    Recipe, make_dict_unstructure_fn(Recipe, _converter, views=override(omit_if_default=True))
)


def from_plain(plain: object, kind: type[ConfigT]) -> ConfigT:
    """Return a configuration made from plain values; unknown keys are refused by name.

    Raises
    ------
    HoloError
        If a key is unknown, missing or wrong; all are named: ``training.epochs is 'ten'; it must be an integer``.
    """
    try:
        return _converter.structure(plain, kind)
    except (cattrs.BaseValidationError, WrongValueError) as error:
        raise HoloError("; ".join(complaints(error))) from None


def to_plain(config: ModelConfig | ClassifierConfig | TrainingConfig | Recipe) -> dict[str, Any]:
    """Return a configuration as plain values, in the form that YAML and JSON store."""
    plain: dict[str, Any] = yaml.safe_load(yaml.safe_dump(_listed(_converter.unstructure(config))))
    return plain


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


@reads("a recipe")
def read_recipe(path: Path | str) -> Recipe:
    """Read a recipe from YAML.

    Raises
    ------
    FormatError
        If the file cannot be read or is not YAML.
    HoloError
        If a key is unknown, missing or wrong.
    """
    plain = read_yaml(Path(path))
    try:
        return from_plain(plain, Recipe)
    except HoloError as error:
        raise HoloError(f"{path}: {error}") from None


def write_recipe(recipe: Recipe, path: Path | str) -> None:
    """Write a recipe as YAML."""
    with replacing(Path(path)) as new:
        new.write_text(yaml.safe_dump(to_plain(recipe), sort_keys=False), encoding="utf-8")
