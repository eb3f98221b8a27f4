"""The sizes of every layer of a network, from its configuration alone; no weights are made."""

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise

import attrs

from holo_nn import Irreps, clebsch_gordan, connectivity
from holo_vae.recipes.model import BlocksConfig, ChannelRule, ClassifierConfig, Connectivity, ModelConfig

from .network import stages

__all__ = ["Description", "LayerSize", "describe"]


@attrs.frozen(kw_only=True)
class LayerSize:
    """One layer of a network.

    Parameters
    ----------
    name
        The name of the layer in the network and in its state.
    irreps_in, irreps_out
        The irreps of the input and of the output.
    paths
        For each block, the number of (l1, l2, l3) paths that its tensor square computes.
    parameters
        The number of learned parameters.
    nominal_parameters
        The number as the authors count it, including the weights of products that are identically zero (a channel
        coupled with itself by (l, l) to an odd degree) or repeated (of two channels in both orders).
    multiply_adds
        Multiply-adds per sample: for linear maps, one for each weight and order m; for tensor squares, one for each
        product with a nonzero Clebsch-Gordan coefficient. Norms and the computation of the products are not counted.
    """

    name: str
    irreps_in: str
    irreps_out: str
    paths: int = 0
    parameters: int
    nominal_parameters: int
    multiply_adds: int


@attrs.frozen
class Description:
    """A network, layer by layer; its text form is a table.

    Parameters
    ----------
    layers
        The layers in the order of the data flow.
    """

    layers: tuple[LayerSize, ...]

    @property
    def parameters(self) -> int:
        """The number of learned parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def nominal_parameters(self) -> int:
        """The number of parameters as the authors count it (see `LayerSize`)."""
        return sum(layer.nominal_parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """The multiply-adds per sample of the whole network (for an autoencoder, of encoder and decoder)."""
        return sum(layer.multiply_adds for layer in self.layers)

    def __str__(self) -> str:
        """Return the table with its totals and what they count."""
        titles = ("layer", "irreps in", "irreps out", "paths", "parameters", "multiply-adds")
        rows = [
            (
                layer.name,
                _short(layer.irreps_in),
                _short(layer.irreps_out),
                str(layer.paths or ""),
                f"{layer.parameters:,}",
                f"{layer.multiply_adds:,}",
            )
            for layer in self.layers
        ]
        total = ("total", "", "", "", f"{self.parameters:,}", f"{self.multiply_adds:,}")
        widths = [max(map(len, column)) for column in zip(titles, *rows, total, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if place < 3 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (titles, *rows, total)
        ]
        dead = self.nominal_parameters - self.parameters
        lines.append(
            f"{self.nominal_parameters:,} parameters as the authors count: {dead:,} more, whose products are zero "
            "or come twice"
        )
        return "\n".join(lines)


def describe(config: ModelConfig | ClassifierConfig) -> Description:
    """Return the sizes of every layer of the network that a configuration describes.

    Parameters
    ----------
    config
        The configuration of an autoencoder or a classifier.

    Examples
    --------
    >>> from holo_types import Basis
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> print(describe(ModelConfig(basis=basis, latent_dim=4, lmax=(1,), channels=(6,))))
    layer             irreps in  irreps out  paths  parameters  multiply-adds
    encoder.0         1x0e..2e   6x0e..1e        5          37             77
    mean              6x0e       4x0e                       28             24
    frame_vectors     6x1e       2x1e                       12             36
    bottleneck        4x0e       6x0e                       30             24
    frame_projection  3x1e       6x1e                       18             54
    decoder.0         6x0e..1e   1x0e..2e        4          46            150
    total                                                  171            365
    189 parameters as the authors count: 18 more, whose products are zero or come twice
    """
    path = stages(config)
    data = Irreps(str(config.basis.irreps))
    width = config.channels[-1]
    layers = []
    if config.initial_projection is not None:
        layers.append(_linear("initial_projection", data, path[0]))
    layers += _blocks("encoder", config, path, config.connectivities, config.channel_rules)
    if isinstance(config, ClassifierConfig):
        widths = (width * (config.lmax[-1] + 1), *config.hidden)
        layers += _dense("hidden", *widths)
        layers.append(_map("logits", widths[-1], len(config.classes.categories)))
        return Description(tuple(layers))
    before_z = config.bottleneck[-1] if config.bottleneck else width
    layers += _dense("hidden", width, *config.bottleneck)
    told = before_z + config.spectrum_width
    layers.append(_map("mean", told, config.latent_dim))
    if config.variational:
        layers.append(_map("log_variance", told, config.latent_dim))
    layers.append(_linear("frame_vectors", Irreps(f"{width}x1e"), Irreps("2x1e")))
    if config.condition is not None:
        layers.append(_map("condition", len(config.condition.categories), config.latent_dim, bias=False))
    if config.bottleneck:
        layers.append(_map("bottleneck.0", config.latent_dim, before_z))
        layers += _dense("bottleneck", *config.bottleneck[::-1], width, first=1)
    else:
        layers.append(_map("bottleneck", config.latent_dim, width))
    layers += [
        _map(f"heads.{number}", config.latent_dim, len(head.categories))
        for number, head in enumerate(config.heads)
    ]
    if config.prior_components:
        layers.append(_prior(config))
    layers.append(_linear("frame_projection", Irreps("3x1e"), Irreps(f"{width}x1e")))
    layers += _blocks("decoder", config, path[::-1], config.connectivities[::-1], config.channel_rules[::-1])
    if config.initial_projection is not None:
        layers.append(_linear("final_projection", path[0], data))
    return Description(tuple(layers))


def _short(irreps: str) -> str:
    """Join neighboring degrees of equal multiplicity.

    Examples
    --------
    >>> _short("44x0e+40x1e+40x2e+36x3e")
    '44x0e+40x1e..2e+36x3e'
    """
    terms = [
        (multiplicity, [term.ir.l for term in group])
        for multiplicity, group in groupby(Irreps(irreps), lambda term: term.mul)
    ]
    return "+".join(
        f"{multiplicity}x{degrees[0]}e" + (f"..{degrees[-1]}e" if degrees[1:] else "")
        for multiplicity, degrees in terms
    )


def _map(name: str, before: int, after: int, bias: bool = True) -> LayerSize:
    parameters = before * after + (after if bias else 0)
    return LayerSize(
        name=name,
        irreps_in=f"{before}x0e",
        irreps_out=f"{after}x0e",
        parameters=parameters,
        nominal_parameters=parameters,
        multiply_adds=before * after,
    )


def _prior(config: ModelConfig) -> LayerSize:
    categories = len(config.condition.categories) if config.condition else 1
    return LayerSize(
        name="prior",
        irreps_in=f"{categories}x0e",
        irreps_out=f"{config.latent_dim}x0e",
        parameters=config.prior_weights,
        nominal_parameters=config.prior_weights,
        multiply_adds=0,  # nothing that is encoded or decoded goes through it
    )


def _dense(name: str, *widths: int, first: int = 0) -> Iterator[LayerSize]:
    for place, (before, after) in enumerate(pairwise(widths)):
        yield _map(f"{name}.{first + 2 * place}", before, after)  # activations take the numbers between


def _counts(irreps: Irreps) -> dict[int, int]:
    return {term.ir.l: term.mul for term in irreps}


def _linear(name: str, before: Irreps, after: Irreps) -> LayerSize:
    inputs = _counts(before)
    weights = {term.ir.l: inputs[term.ir.l] * term.mul for term in after}
    return LayerSize(
        name=name,
        irreps_in=str(before),
        irreps_out=str(after),
        parameters=sum(weights.values()),
        nominal_parameters=sum(weights.values()),
        multiply_adds=sum((2 * degree + 1) * count for degree, count in weights.items()),
    )


def _blocks(
    name: str,
    config: BlocksConfig,
    path: list[Irreps],
    connectivities: Iterable[Connectivity],
    channel_rules: Iterable[ChannelRule],
) -> Iterator[LayerSize]:
    for place, ((before, after), rule, channels) in enumerate(
        zip(pairwise(path), connectivities, channel_rules, strict=True)
    ):
        yield _block(f"{name}.{place}", config, (before, after), rule, channels)


def _rows(count1: int, count2: int, path: tuple[int, int, int], channels: ChannelRule) -> tuple[int, int]:
    """Return the number of products of a path that are computed, and the number that the authors count."""
    l1, l2, l3 = path
    if channels == "elementwise":
        return (0 if l1 == l2 and l3 % 2 else count1), count1
    if l1 != l2:
        return count1 * count2, count1 * count2
    return count1 * (count1 - 1 if l3 % 2 else count1 + 1) // 2, count1 * count1


def _block(
    name: str,
    config: BlocksConfig,
    irreps: tuple[Irreps, Irreps],
    rule: Connectivity,
    channels: ChannelRule,
) -> LayerSize:
    before, after = irreps
    inputs, outputs = _counts(before), _counts(after)
    live, nominal = dict.fromkeys(outputs, 0), dict.fromkeys(outputs, 0)
    paths = multiply_adds = 0
    for path in connectivity(before.lmax, after.lmax, rule):
        l1, l2, l3 = path
        computed, counted = _rows(inputs[l1], inputs[l2], path, channels)
        live[l3] += computed
        nominal[l3] += counted
        if computed:
            paths += 1
            coefficients = clebsch_gordan(l1, l2, l3)
            if l1 == l2 and channels == "elementwise":  # x_m x_n equals x_n x_m
                coefficients = coefficients.movedim(-1, 0).triu()
            multiply_adds += computed * int(coefficients.count_nonzero())
    weights = sum(live[degree] * count for degree, count in outputs.items())
    dead = sum((nominal[degree] - live[degree]) * count for degree, count in outputs.items())
    multiply_adds += sum((2 * degree + 1) * live[degree] * count for degree, count in outputs.items())
    norms = sum(inputs.values()) + inputs[0] if config.batch_norm else 0
    if config.norm == "signal":
        norms += len(live) + 1
    elif config.norm is not None:
        norms += sum(live.values()) + live[0]
    return LayerSize(
        name=name,
        irreps_in=str(before),
        irreps_out=str(after),
        paths=paths,
        parameters=weights + norms,
        nominal_parameters=weights + norms + dead,
        multiply_adds=multiply_adds,
    )
