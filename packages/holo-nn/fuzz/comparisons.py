"""Random layers of holo-nn, each with the equivalent computation in e3nn.

A comparison is two functions of the same numbers. Where e3nn's fails because there are no channels, as in its batch
norm, the output must be as empty as the input.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Literal, NamedTuple

import torch
from draws import any_irreps, ascending_irreps, features, generator
from e3nn import nn, o3
from torch import Tensor
from torch.func import functional_call

from holo_nn import (
    BatchNorm,
    Edges,
    NormGate,
    TensorProduct,
    TensorSquare,
    WeightedTensorProduct,
    linear_from_e3nn,
    rotate,
    spherical_harmonics,
)

__all__ = ["COMPARISONS", "Comparison"]

Normalization = Literal["component", "norm", "integral"]
Function = Callable[..., tuple[Tensor, ...]]


class Comparison(NamedTuple):
    """Two functions to compare, their inputs and the irreps of these."""

    ours: Function
    theirs: Function
    inputs: tuple[Tensor, ...]
    irreps: tuple[o3.Irreps, ...]


def _samples(random: Random) -> tuple[int, ...]:
    return random.choice(((2,), (7,), (2, 3)))


def linear(random: Random) -> Comparison:
    """Compare `Linear` with e3nn's weights, and its derivative along a direction of these weights."""
    irreps_in = any_irreps(random)
    irreps_out = any_irreps(random, among=[term.ir for term in irreps_in])
    paths = {term.ir for term in irreps_in if term.mul} & {term.ir for term in irreps_out if term.mul}
    options: dict[str, Any] = {
        # e3nn's fails on a bias of scalars that come from nothing else.
        "biases": o3.Irrep("0e") in paths and random.random() < 0.5,
        "path_normalization": random.choice(("element", "path")),
    }
    theirs, direction = (o3.Linear(irreps_in, irreps_out, **options) for _ in range(2))
    for module in (theirs, direction):
        for parameter in (module.weight, module.bias):
            parameter.data = features(random, *parameter.shape)
    ours, ours_direction = linear_from_e3nn(theirs), dict(linear_from_e3nn(direction).named_parameters())

    def of_ours(x: Tensor, step: Tensor) -> tuple[Tensor, ...]:
        state = {name: value + step * ours_direction[name] for name, value in ours.named_parameters()}
        return (functional_call(ours, state, (x,)),)

    def of_theirs(x: Tensor, step: Tensor) -> tuple[Tensor, ...]:
        return (theirs(x, theirs.weight + step * direction.weight, theirs.bias + step * direction.bias),)

    x = features(random, *_samples(random), irreps_in.dim)
    return Comparison(of_ours, of_theirs, (x, torch.zeros(())), (irreps_in, irreps_out))


def _couplings(first: o3.Irreps, second: o3.Irreps) -> list[tuple[int, int, o3.Irrep]]:
    """List the irreps to which the terms of two factors couple, in the order of NequIP's messages."""
    return [
        (i, j, ir)
        for i, one in enumerate(first)
        for j, other in enumerate(second)
        for ir in one.ir * other.ir
    ]


def _instructions(
    random: Random, first: o3.Irreps, second: o3.Irreps
) -> tuple[o3.Irreps, list[tuple[int, int, int, str, bool, float]]]:
    """Draw paths of both modes and their output irreps: some share a term, and some terms have no path."""
    out, paths = list(any_irreps(random, terms=1)), []
    candidates = _couplings(first, second)
    for i, j, ir in random.sample(candidates, min(len(candidates), random.randint(1, 6))):
        mode = random.choice(("uvu", "uvw"))
        places = [
            k for k, (mul, other) in enumerate(out) if other == ir and (mode == "uvw" or mul == first[i].mul)
        ]
        if places and random.random() < 0.5:
            place = random.choice(places)
        else:
            place = len(out)
            out.append((first[i].mul if mode == "uvu" else random.randint(0, 3), ir))
        paths.append((i, j, place, mode, True, random.choice((0.5, 1.0, 2.0))))
    order = random.sample(range(len(out)), len(out))
    return (
        o3.Irreps([out[place] for place in order]),
        [(i, j, order.index(k), mode, weighted, weight) for i, j, k, mode, weighted, weight in paths],
    )


def _weighted(
    random: Random, ours: WeightedTensorProduct, theirs: o3.TensorProduct, *, along_edges: bool
) -> Comparison:
    irreps = tuple(map(o3.Irreps, (ours.irreps_in1, ours.irreps_in2, ours.irreps_out)))
    shared, samples = random.random() < 0.3, _samples(random)
    if along_edges:
        nodes, count = random.randint(1, 6), random.randint(0, 15)
        senders, receivers = torch.randint(nodes, (2, count), generator=generator(random))
        edges = Edges(senders, receivers, nodes)
        samples = (count,)
    x = features(random, *((nodes,) if along_edges else samples), irreps[0].dim)

    def of_ours(x: Tensor, y: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        return (ours.along_edges(x, y, edges, w) if along_edges else ours(x, y, w),)

    def of_theirs(x: Tensor, y: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        w = w.expand(*samples, -1)
        if not along_edges:
            return (theirs(x, y, w),)
        rows = theirs(x[edges.senders], y, w)
        return (torch.zeros(nodes, irreps[2].dim).index_add(0, edges.receivers, rows),)

    y = features(random, *samples, irreps[1].dim)
    w = features(random, *(() if shared else samples), theirs.weight_numel)
    return Comparison(of_ours, of_theirs, (x, y, w), irreps)


def _product(random: Random, *, along_edges: bool) -> Comparison:
    first, second = any_irreps(random, terms=4), any_irreps(random, terms=3)
    out, instructions = _instructions(random, first, second)
    options: dict[str, Any] = {
        "irrep_normalization": random.choice(("component", "norm", "none")),
        "path_normalization": random.choice(("element", "path", "none")),
        "internal_weights": False,
    }
    ours = WeightedTensorProduct(first, second, out, instructions, **options)
    theirs = o3.TensorProduct(first, second, out, instructions, shared_weights=False, **options)
    return _weighted(random, ours, theirs, along_edges=along_edges)


def weighted_product(random: Random) -> Comparison:
    """Compare `WeightedTensorProduct` with paths of both modes, row by row."""
    return _product(random, along_edges=False)


def product_along_edges(random: Random) -> Comparison:
    """Compare the same product, gathered from the nodes of a graph and summed at the nodes."""
    return _product(random, along_edges=True)


def channelwise(random: Random) -> Comparison:
    """Compare the product for messages with NequIP's, made of e3nn's."""
    first, second = any_irreps(random), any_irreps(random, terms=3)
    couplings = _couplings(first, second)
    kept = any_irreps(random, among=[ir for *_, ir in couplings])
    found = [(i, j, ir) for i, j, ir in couplings if ir in [term.ir for term in kept]]
    out, places, _ = o3.Irreps([(first[i].mul, ir) for i, _, ir in found]).sort()
    theirs = o3.TensorProduct(
        first,
        second,
        out,
        [(i, j, places[number], "uvu", True) for number, (i, j, _) in enumerate(found)],
        shared_weights=False,
        internal_weights=False,
    )
    ours = WeightedTensorProduct.channelwise(first, second, kept)
    return _weighted(random, ours, theirs, along_edges=random.random() < 0.5)


def fully_connected(random: Random) -> Comparison:
    """Compare every path of ``"uvw"`` with e3nn's module of that name."""
    first, second = any_irreps(random, terms=3), any_irreps(random, terms=3)
    irreps = first, second, any_irreps(random, terms=3, among=[ir for *_, ir in _couplings(first, second)])
    theirs = o3.FullyConnectedTensorProduct(*irreps, shared_weights=False, internal_weights=False)
    ours = WeightedTensorProduct.fully_connected(*irreps, internal_weights=False)
    return _weighted(random, ours, theirs, along_edges=random.random() < 0.5)


def batch_norm(random: Random) -> Comparison:
    """Compare `BatchNorm`, in training and evaluation, with the statistics that it keeps."""
    irreps = any_irreps(random)
    options: dict[str, Any] = {
        "normalization": random.choice(("component", "norm")),
        "eps": random.choice((1e-5, 1e-2)),
        "momentum": random.choice((0.1, 0.5)),
    }
    affine, training = random.random() < 0.7, random.random() < 0.6
    ours = BatchNorm(irreps, affine="channel" if affine else None, **options).train(training)
    with_channels = o3.Irreps([term for term in irreps if term.mul])
    theirs = nn.BatchNorm(with_channels, affine=affine, **options).train(training)
    statistics = (
        features(random, *ours.running_mean.shape),
        1 + features(random, *ours.running_var.shape).abs(),
    )
    for module in (ours, theirs):
        module.running_mean.copy_(statistics[0])
        module.running_var.copy_(statistics[1])
    parameters = {name: features(random, *value.shape) for name, value in ours.named_parameters()}

    names = tuple(parameters)

    def of(module: BatchNorm | nn.BatchNorm) -> Function:
        def function(x: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
            state = dict(zip(names, values, strict=True))
            y = functional_call(module, state, (x,)) if module is ours or with_channels else x
            return y, module.running_mean, module.running_var

        return function

    x = features(random, *_samples(random), irreps.dim)
    return Comparison(of(ours), of(theirs), (x, *parameters.values()), (irreps,))


def norm_gate(random: Random) -> Comparison:
    """Compare `NormGate` with a norm activation with its weights, and on 0e with swish."""
    irreps = any_irreps(random)
    ours = NormGate(irreps)
    with_channels = o3.Irreps([term for term in irreps if term.mul])
    channels = [(term.ir, where) for term, where in zip(irreps, irreps.slices(), strict=True) if term.mul]
    orders = torch.cat(
        [torch.full((term.mul,), float(term.ir.dim)) for term in with_channels] or [torch.zeros(0)]
    )

    def of_ours(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        return (functional_call(ours, {"weight": weight, "bias": bias}, (x,)),)

    def of_theirs(x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        if not with_channels:
            return (x,)

        def activation(norms: Tensor) -> Tensor:
            # e3nn divides by the norm over all orders; ours is their root mean square, which is never exactly zero.
            return norms * torch.sigmoid(weight * (norms.square() / orders + 1e-12).sqrt() + bias)

        y = nn.NormActivation(with_channels, activation)(x)
        pieces, before = [], 0
        for ir, where in channels:
            count = (where.stop - where.start) // ir.dim
            part = slice(before, before + count)
            values = x[..., where]
            swish = (
                values * torch.sigmoid(weight[part] * values + bias[part])
                if ir == o3.Irrep("0e")
                else y[..., where]
            )
            pieces.append(swish)
            before += count
        return (torch.cat(pieces, dim=-1),)

    x = features(random, *_samples(random), irreps.dim)
    parameters = features(random, len(orders)), features(random, len(orders))
    return Comparison(of_ours, of_theirs, (x, *parameters), (irreps,))


def rotation(random: Random) -> Comparison:
    """Compare `rotate`, with or without inversion, for matrices from e3nn's angles, which also get gradients."""
    irreps, inversion = any_irreps(random, lmax=6), random.random() < 0.5

    def of_ours(x: Tensor, angles: Tensor) -> tuple[Tensor, ...]:
        return (rotate(x, irreps, o3.angles_to_matrix(*angles), inversion),)

    def of_theirs(x: Tensor, angles: Tensor) -> tuple[Tensor, ...]:
        return (x @ irreps.D_from_angles(*angles, torch.tensor(float(inversion))).T if irreps.dim else x,)

    x = features(random, *_samples(random), irreps.dim)
    return Comparison(of_ours, of_theirs, (x, features(random, 3)), (irreps,))


def harmonics(random: Random) -> Comparison:
    """Compare `spherical_harmonics` in every normalization, for vectors and for their directions."""
    drawn, even = any_irreps(random, lmax=6), random.random() < 0.3
    irreps = o3.Irreps([(term.mul, (term.ir.l, 1 if even else (-1) ** term.ir.l)) for term in drawn])
    normalize = random.random() < 0.5
    normalizations: tuple[Normalization, ...] = ("component", "norm", "integral")
    normalization = random.choice(normalizations)

    def of_ours(vectors: Tensor) -> tuple[Tensor, ...]:
        return (spherical_harmonics(irreps, vectors, normalize, normalization),)

    def of_theirs(vectors: Tensor) -> tuple[Tensor, ...]:
        if not irreps.dim:
            return (vectors[..., :0],)
        return (o3.spherical_harmonics(irreps, vectors, normalize, normalization),)

    return Comparison(of_ours, of_theirs, (features(random, *_samples(random), 3),), (irreps,))


def tensor_product(random: Random) -> Comparison:
    """Compare `TensorProduct` with e3nn's ``"uuu"`` and ``"uvuv"``, path by path."""
    full = random.random() < 0.5
    first, second = (sorted(random.sample(range(4), random.randint(1, 3))) for _ in range(2))
    both = ascending_irreps(random, first + second, same=not full)
    irreps = both[: len(first)], both[len(first) :]
    ours = TensorProduct(
        *irreps,
        lmax=random.choice((None, random.randint(0, max(first) + max(second)))),
        connectivity=random.choice(("efficient", "full")),
        channels="full" if full else "elementwise",
    )
    theirs = _of_paths(*irreps, ours.paths, "uvuv" if full else "uuu")

    def of_ours(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        return (ours(x, y),)

    def of_theirs(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        return (theirs(x, y),)

    samples = _samples(random)
    inputs = tuple(features(random, *samples, each.dim) for each in irreps)
    return Comparison(of_ours, of_theirs, inputs, irreps)


def tensor_square(random: Random) -> Comparison:
    """Compare `TensorSquare` with e3nn's product of a feature with itself, with each pair of channels once."""
    full, lmax = random.random() < 0.5, random.randint(0, 3)
    irreps = ascending_irreps(random, list(range(lmax + 1)), same=not full)
    ours = TensorSquare(
        irreps,
        lmax=random.choice((None, random.randint(0, 2 * lmax))),
        connectivity=random.choice(("efficient", "full")),
        channels="full" if full else "elementwise",
    )
    theirs = _of_paths(irreps, irreps, ours.paths, "uvuv" if full else "uuu")

    def of_ours(x: Tensor) -> tuple[Tensor, ...]:
        return (ours(x),)

    def of_theirs(x: Tensor) -> tuple[Tensor, ...]:
        product = theirs(x, x)
        pieces = []
        for (l1, l2, l3), where in zip(ours.paths, theirs.irreps_out.slices(), strict=True):
            piece = product[..., where]
            if full and l1 == l2:
                count = irreps[l1].mul
                low, high = torch.triu_indices(count, count, offset=l3 % 2)
                piece = piece.unflatten(-1, (count, count, 2 * l3 + 1))[..., low, high, :].flatten(-2)
            pieces.append(piece)
        return (torch.cat([product[..., :0], *pieces], dim=-1),)

    x = features(random, *_samples(random), irreps.dim)
    return Comparison(of_ours, of_theirs, (x,), (irreps,))


def _of_paths(
    first: o3.Irreps, second: o3.Irreps, paths: tuple[tuple[int, int, int], ...], mode: str
) -> o3.TensorProduct:
    """Make e3nn's product with a term for each path, without weights."""
    places1, places2 = ({term.ir.l: place for place, term in enumerate(each)} for each in (first, second))
    terms, instructions = [], []
    for number, (l1, l2, l3) in enumerate(paths):
        one, other = first[places1[l1]], second[places2[l2]]
        terms.append((one.mul * (other.mul if mode == "uvuv" else 1), (l3, one.ir.p * other.ir.p)))
        instructions.append((places1[l1], places2[l2], number, mode, False))
    return o3.TensorProduct(
        first, second, o3.Irreps(terms), instructions, irrep_normalization="none", path_normalization="none"
    )


# Keys are the names in the table.
COMPARISONS: dict[str, Callable[[Random], Comparison]] = {
    "Linear": linear,
    "WeightedTensorProduct, rows": weighted_product,
    "WeightedTensorProduct, edges": product_along_edges,
    "channelwise": channelwise,
    "fully_connected": fully_connected,
    "BatchNorm": batch_norm,
    "NormGate": norm_gate,
    "rotate": rotation,
    "spherical_harmonics": harmonics,
    "TensorProduct": tensor_product,
    "TensorSquare": tensor_square,
}
