"""Tensor products whose paths have weights, row by row or along the edges of a graph."""

from collections.abc import Iterable, Sequence
from math import prod, sqrt
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn.kernels.compiled_product import CompiledProduct, compute_product
from holo_nn.kernels.dispatch import compiled_serves
from holo_nn.kernels.edges import Edges
from holo_nn.kernels.product_plan import CompiledPath, prepare_product
from holo_nn.so3.irreps import (
    IrrepsLike,
    Terms,
    as_rows,
    check_features,
    join_terms,
    like_input,
    read_irreps,
    split_terms,
    terms_of,
)
from holo_nn.so3.precision import widened
from holo_nn.so3.representation import Irrep, Irreps

from .coupling import Couplings, Pair

__all__ = ["Instruction", "WeightedTensorProduct"]

Mode = Literal["uvu", "uvw"]
IrrepNormalization = Literal["component", "norm", "none"]
PathNormalization = Literal["element", "path", "none"]


class Instruction(NamedTuple):
    """One path of a weighted tensor product, as e3nn writes it.

    Attributes
    ----------
    i_in1, i_in2, i_out
        The positions of its terms in the irreps of the two factors and of the result.
    mode
        ``"uvu"``: channel u of the first factor is coupled with every channel v of the second into channel u, with
        weights ``[u, v]``. ``"uvw"``: all channels of both are coupled into channels w, with weights ``[u, v, w]``.
    path_weight
        The share of the path in the variance of the result, relative to the other paths into the same term.
    """

    i_in1: int
    i_in2: int
    i_out: int
    mode: Mode
    path_weight: float = 1.0


def _read(instruction: Sequence[object]) -> Instruction:
    """Read an `Instruction`, or e3nn's (i_in1, i_in2, i_out, mode, has_weight[, path_weight])."""
    if isinstance(instruction, Instruction):
        return instruction
    first, second, out, mode, has_weight, *rest = instruction
    if has_weight is not True:
        raise ValueError(
            f"WeightedTensorProduct: instruction {tuple(instruction)} has no weight; every path must have one"
        )
    return Instruction(first, second, out, mode, *rest)  # type: ignore[arg-type]


class WeightedTensorProduct(nn.Module):
    """Couple two features path by path, each with weights: Σ_uv w[u, v, ...] Σ_mn C[m, n, M] x[u, m] y[v, n].

    The weights are the layer's own, or are passed to it: one set for all samples or one for each, such as the output of
    a network on distances. `along_edges` gathers the first feature from the nodes of a graph and sums the products at
    the receiving nodes, in one step, as in a layer of NequIP or MACE.

    Parameters
    ----------
    irreps_in1, irreps_in2, irreps_out
        The irreps of the two factors and of the result.
    instructions
        The paths, as `Instruction` or e3nn's tuples. Weights are stored path by path, in this order.
    irrep_normalization
        ``"component"``: if the components of the factors have variance 1, so do those of the result; ``"norm"``: the
        same for norms of 1; ``"none"``: the coefficients alone.
    path_normalization
        ``"element"``: each path into a term is weighted by the number of products that it sums; ``"path"``: all are
        weighted equally; ``"none"``: they are added without weights.
    internal_weights
        Whether the layer has weights of its own.

    Attributes
    ----------
    irreps_in1, irreps_in2, irreps_out : holo_nn.Irreps
        As they were given.
    instructions : tuple of Instruction
        The paths.
    weight_numel : int
        The size of a set of weights.
    weight : torch.nn.Parameter or None
        ``[weight_numel]``; initially standard normal.

    Raises
    ------
    ValueError
        If irreps cannot be read, an option is unknown, or a path is invalid: its positions do not exist, its irreps do
        not couple, or its multiplicities do not fit.

    Notes
    -----
    The product, the order of its weights and its normalizations are those of ``e3nn.o3.TensorProduct`` (Geiger,
    Smidt, arXiv 2207.09453), with the modes that NequIP (Batzner et al., Nat. Commun. 13, 2453, 2022) and MACE (Batatia
    et al., NeurIPS 2022) use.

    Examples
    --------
    >>> product = WeightedTensorProduct.channelwise("8x0e+8x1o", "1x0e+1x1o", "0e+1o")
    >>> product.irreps_out, product.weight_numel
    (8x0e+8x0e+8x1o+8x1o, 32)
    >>> x, y, weights = torch.randn(5, 32), torch.randn(5, 4), torch.randn(5, 32)
    >>> product(x, y, weights).shape
    torch.Size([5, 64])
    """

    def __init__(
        self,
        irreps_in1: IrrepsLike,
        irreps_in2: IrrepsLike,
        irreps_out: IrrepsLike,
        instructions: Iterable[Sequence[object]],
        *,
        irrep_normalization: IrrepNormalization = "component",
        path_normalization: PathNormalization = "element",
        internal_weights: bool = True,
    ) -> None:
        super().__init__()
        self.irreps_in1 = read_irreps(irreps_in1, "irreps_in1")
        self.irreps_in2 = read_irreps(irreps_in2, "irreps_in2")
        self.irreps_out = read_irreps(irreps_out, "irreps_out")
        self.instructions = tuple(map(_read, instructions))
        name = type(self).__name__
        if irrep_normalization not in ("component", "norm", "none"):
            raise ValueError(
                f"{name}: irrep_normalization is {irrep_normalization!r}; it must be 'component', 'norm' or 'none'"
            )
        if path_normalization not in ("element", "path", "none"):
            raise ValueError(
                f"{name}: path_normalization is {path_normalization!r}; it must be 'element', 'path' or 'none'"
            )
        for instruction in self.instructions:
            self._check(instruction)
        shapes = [self._weight_shape(instruction) for instruction in self.instructions]
        self.weight_numel = sum(map(prod, shapes))
        self.weight = nn.Parameter(torch.empty(self.weight_numel)) if internal_weights else None
        self._terms1, self._terms2 = terms_of(self.irreps_in1), terms_of(self.irreps_in2)
        self._terms_out = terms_of(self.irreps_out)
        factors = [
            self._factor(instruction, irrep_normalization, path_normalization)
            for instruction in self.instructions
        ]
        self._paths = tuple(
            path
            for path in zip(
                map(self._places, self.instructions), shapes, factors, self._starts(shapes), strict=True
            )
            if 0 not in path[1]  # a path without channels has no position and no numbers
        )
        self._modes = tuple(
            instruction.mode
            for instruction, shape in zip(self.instructions, shapes, strict=True)
            if 0 not in shape
        )
        self._couplings = Couplings(
            Pair(self._terms1[i][1], self._terms2[j][1], (self._terms_out[k][1],))
            for (i, j, k), *_ in self._paths
        )
        self._prepare_compiled()
        self.reset_parameters()

    @classmethod
    def channelwise(
        cls, irreps_in1: IrrepsLike, irreps_in2: IrrepsLike, irreps_out: IrrepsLike
    ) -> "WeightedTensorProduct":
        """Make the product for messages: every ``"uvu"`` path into the given irreps, with weights that are passed in.

        Each path has a term of its own in the result, which is sorted; instructions run over the first factor, then
        over the second, then over the irreps that they couple to, as in NequIP and MACE.

        Parameters
        ----------
        irreps_in1, irreps_in2
            The irreps of the features of nodes and of the spherical harmonics of edges.
        irreps_out
            The irreps that the result may have; multiplicities are ignored.

        Examples
        --------
        >>> WeightedTensorProduct.channelwise("4x1o", "1x1o", "0e+1e").irreps_out
        4x0e+4x1e
        """
        first, second = read_irreps(irreps_in1, "irreps_in1"), read_irreps(irreps_in2, "irreps_in2")
        kept = read_irreps(irreps_out, "irreps_out")
        found = [
            (i, j, ir)
            for i, one in enumerate(first)
            for j, other in enumerate(second)
            for ir in _couple(one.ir, other.ir)
            if any(ir == term.ir for term in kept)
        ]
        order = sorted(range(len(found)), key=lambda place: found[place][2])
        places = {place: number for number, place in enumerate(order)}
        return cls(
            first,
            second,
            Irreps([(first[found[place][0]].mul, found[place][2]) for place in order]),
            [Instruction(i, j, places[place], "uvu") for place, (i, j, _) in enumerate(found)],
            internal_weights=False,
        )

    @classmethod
    def fully_connected(
        cls,
        irreps_in1: IrrepsLike,
        irreps_in2: IrrepsLike,
        irreps_out: IrrepsLike,
        *,
        internal_weights: bool = True,
    ) -> "WeightedTensorProduct":
        """Make the product of every ``"uvw"`` path, like ``e3nn.o3.FullyConnectedTensorProduct``.

        Parameters
        ----------
        irreps_in1, irreps_in2, irreps_out
            The irreps of the two factors and of the result.
        internal_weights
            Whether the layer has weights of its own.

        Examples
        --------
        >>> product = WeightedTensorProduct.fully_connected("4x0e+4x1o", "3x0e", "8x0e+2x1o")
        >>> product.weight_numel, product(torch.randn(5, 16), torch.randn(5, 3)).shape
        (120, torch.Size([5, 14]))
        """
        first, second = read_irreps(irreps_in1, "irreps_in1"), read_irreps(irreps_in2, "irreps_in2")
        out = read_irreps(irreps_out, "irreps_out")
        paths = [
            Instruction(i, j, k, "uvw")
            for i, one in enumerate(first)
            for j, other in enumerate(second)
            for k, result in enumerate(out)
            if result.ir in _couple(one.ir, other.ir)
        ]
        return cls(first, second, out, paths, internal_weights=internal_weights)

    def reset_parameters(self) -> None:
        """Draw new weights of the layer's own from the standard normal distribution."""
        if self.weight is not None:
            nn.init.normal_(self.weight)

    def _check(self, instruction: Instruction) -> None:
        i, j, k, mode, _ = instruction
        name = f"{type(self).__name__}: instruction {tuple(instruction)}"
        for place, irreps in ((i, self.irreps_in1), (j, self.irreps_in2), (k, self.irreps_out)):
            if not 0 <= place < len(irreps):
                raise ValueError(f"{name} names term {place} of '{irreps}', which has {len(irreps)}")
        one, other, out = self.irreps_in1[i], self.irreps_in2[j], self.irreps_out[k]
        if out.ir not in _couple(one.ir, other.ir):
            raise ValueError(f"{name} couples {one.ir} and {other.ir} to {out.ir}, which cannot be")
        if mode not in ("uvu", "uvw"):
            raise ValueError(f"{name} has mode {mode!r}; it must be 'uvu' or 'uvw'")
        if mode == "uvu" and one.mul != out.mul:
            raise ValueError(f"{name} gives {one.mul} channels to {out}; in mode 'uvu' they must be as many")

    def _weight_shape(self, instruction: Instruction) -> tuple[int, ...]:
        shape = self.irreps_in1[instruction.i_in1].mul, self.irreps_in2[instruction.i_in2].mul
        return shape if instruction.mode == "uvu" else (*shape, self.irreps_out[instruction.i_out].mul)

    @staticmethod
    def _starts(shapes: Sequence[tuple[int, ...]]) -> list[int]:
        return [sum(map(prod, shapes[:number])) for number in range(len(shapes))]

    def _places(self, instruction: Instruction) -> tuple[int, int, int]:
        """Return the positions of the terms, counted without those that have no channels."""
        i, j, k = (
            sum(1 for term in irreps[:place] if term.mul)
            for place, irreps in zip(
                instruction[:3], (self.irreps_in1, self.irreps_in2, self.irreps_out), strict=True
            )
        )
        return i, j, k

    def _factor(self, instruction: Instruction, irrep_normalization: str, path_normalization: str) -> float:
        """Compute the coefficient of a path, as e3nn does."""

        def products(each: Instruction) -> int:
            count = self.irreps_in2[each.i_in2].mul
            return count if each.mode == "uvu" else count * self.irreps_in1[each.i_in1].mul

        one, other = self.irreps_in1[instruction.i_in1].ir, self.irreps_in2[instruction.i_in2].ir
        out = self.irreps_out[instruction.i_out].ir
        variance = {"component": out.dim, "norm": one.dim * other.dim, "none": 1}[irrep_normalization]
        together = [each for each in self.instructions if each.i_out == instruction.i_out]
        count = {
            "element": sum(map(products, together)),
            "path": products(instruction) * len(together),
            "none": 1,
        }[path_normalization]
        return sqrt(variance / max(count, 1) * instruction.path_weight)

    def _prepare_compiled(self) -> None:
        """Prepare the compiled loops: "uvu" as it is; of "uvw" only the products, which a matrix product then mixes."""
        self._mixed = "uvw" in self._modes
        self._serves = len(set(self._modes)) == 1  # the loops do not mix modes
        terms: list[tuple[int, int]] = []
        paths = []
        for (i, j, k), shape, factor, start in self._paths:
            if self._mixed:
                paths.append(CompiledPath(i, j, len(terms), None, factor))
                terms += [(shape[0], self._terms_out[k][1])] * shape[1]
            else:
                paths.append(CompiledPath(i, j, k, start, factor))
        self._compiled_terms: Terms = tuple(terms) if self._mixed else self._terms_out
        self._compiled_paths = tuple(paths)

    def forward(
        self,
        first: Float[Tensor, "*batch dim_in1"],
        second: Float[Tensor, "*batch dim_in2"],
        weights: Float[Tensor, "*sets weight_numel"] | None = None,
    ) -> Float[Tensor, "*batch dim_out"]:
        """Map features ``[..., irreps_in1.dim]`` and ``[..., irreps_in2.dim]`` to ``[..., irreps_out.dim]``.

        Parameters
        ----------
        first, second
            The two factors.
        weights
            ``[weight_numel]``, or a set for each sample, ``[..., weight_numel]``; None for the layer's own.

        Raises
        ------
        ValueError
            If a shape or precision does not fit, or weights are missing.
        """
        check_features(first, self._terms1, "first", like=self.weight)
        check_features(second, self._terms2, "second", like=first)
        if first.shape[:-1] != second.shape[:-1]:
            raise ValueError(
                f"second has shape {list(second.shape)}; but for the last dimension it must be that of first, "
                f"{list(first.shape)}"
            )
        weights = self._weights(weights, first)
        rows = as_rows(widened(first))
        sets = widened(weights if weights.ndim == 1 else as_rows(weights))
        return like_input(self._product(rows, as_rows(widened(second)), sets, None), first)

    def along_edges(
        self,
        nodes: Float[Tensor, "nodes dim_in1"],
        edge_features: Float[Tensor, "edges dim_in2"],
        edges: Edges,
        weights: Float[Tensor, "*edges weight_numel"] | None = None,
    ) -> Float[Tensor, "nodes dim_out"]:
        """Multiply the features of each edge's sender with those of the edge, and sum the products at the receivers.

        It equals ``index_add`` of ``self(nodes[edges.senders], edge_features, weights)`` at ``edges.receivers``, but if
        compiled loops can be used, it never holds the features of all edges in memory.

        Parameters
        ----------
        nodes
            The first factor, for each node.
        edge_features
            The second factor, for each edge, such as spherical harmonics of its direction.
        edges
            The edges of the graph.
        weights
            One set for all edges, ``[weight_numel]``, or one for each, ``[edges, weight_numel]``; None for the layer's
            own.

        Raises
        ------
        ValueError
            If a shape or precision does not fit, or weights are missing.

        Examples
        --------
        >>> product = WeightedTensorProduct.channelwise("4x0e", "1x0e+1x1o", "0e+1o")
        >>> edges = Edges(torch.tensor([0, 1, 2, 2]), torch.tensor([1, 0, 0, 1]), nodes=3)
        >>> messages = product.along_edges(torch.randn(3, 4), torch.randn(4, 4), edges, torch.randn(4, 8))
        >>> messages.shape, bool(messages[2].any())
        (torch.Size([3, 16]), False)
        """
        check_features(nodes, self._terms1, "nodes", like=self.weight)
        check_features(edge_features, self._terms2, "edge_features", like=nodes)
        if nodes.ndim != 2 or len(nodes) != edges.nodes:
            raise ValueError(
                f"nodes has shape {list(nodes.shape)}; it must be [{edges.nodes}, {self.irreps_in1.dim}]: the edges "
                f"are of {edges.nodes} nodes"
            )
        if edge_features.ndim != 2 or len(edge_features) != len(edges):
            raise ValueError(
                f"edge_features has shape {list(edge_features.shape)}; it must be "
                f"[{len(edges)}, {self.irreps_in2.dim}], one row for each edge"
            )
        weights = self._weights(weights, edge_features)
        return self._product(widened(nodes), widened(edge_features), widened(weights), edges)

    def _weights(self, weights: Tensor | None, samples: Tensor) -> Tensor:
        """Return the weights for features: one set, or one for each of their samples."""
        weights = self.weight if weights is None else weights
        if weights is None:
            raise ValueError(f"{type(self).__name__}: it has no weights of its own; they must be given")
        check_features(weights, ((self.weight_numel, 0),), "weights", like=samples)
        if weights.ndim > 1 and weights.shape[:-1] != samples.shape[:-1]:
            raise ValueError(
                f"weights has shape {list(weights.shape)}; it must be [{self.weight_numel}] or "
                f"{[*samples.shape[:-1], self.weight_numel]}"
            )
        return weights

    def _product(self, x: Tensor, y: Tensor, w: Tensor, edges: Edges | None) -> Tensor:
        """Compute the product of rows of features in the form that can be used; `w` is one set or one a row."""
        plan = None
        if self._serves and compiled_serves(x, y, w) and len(x) and len(y):
            plan = prepare_product(
                self._terms1,
                self._terms2,
                self._compiled_terms,
                self._compiled_paths,
                dim_weights=0 if self._mixed else self.weight_numel,
                dtype=x.dtype,
            )
        if plan is None:
            return self._pure(x, y, w, edges)
        if not self._mixed:

            def pure(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
                return self._pure(x, y, w, edges)

            return compute_product(x, y, w, CompiledProduct(plan, edges, pure))

        # Weights of each edge mix before the sum, and shared weights after it.
        along = edges if w.ndim == 1 else None
        if edges is not None and along is None:
            x = x.index_select(0, edges.senders)

        def pure_products(x: Tensor, y: Tensor, _w: Tensor) -> Tensor:
            return _summed(join_terms(self._products(_gathered(x, along), y), x), along)

        form = CompiledProduct(plan, along, pure_products)
        products = compute_product(x, y, x.new_empty(0), form)
        pieces = split_terms(products, self._compiled_terms)
        of_paths, number = [], 0
        for _, shape, _, _ in self._paths:
            of_paths.append(torch.cat(pieces[number : number + shape[1]], dim=1))
            number += shape[1]
        mixed = self._mix(of_paths, w, products)
        return mixed if along is not None else _summed(mixed, edges)

    def _products(self, x: Tensor, y: Tensor) -> list[Tensor]:
        """Couple all channels of each path, without weights: ``[rows, v u, m]``."""
        pieces1 = [piece.permute(2, 0, 1) for piece in split_terms(x, self._terms1)]
        pieces2 = [piece.permute(2, 0, 1) for piece in split_terms(y, self._terms2)]
        coupled = self._couplings.couple(
            (pieces1[i][:, None, :, None, :] * pieces2[j][None, :, :, :, None]).flatten(3)
            for (i, j, _), *_ in self._paths
        )
        return [factor * output[0] for output, (_, _, factor, _) in zip(coupled, self._paths, strict=True)]

    def _mix(self, products: Sequence[Tensor], w: Tensor, like: Tensor) -> Tensor:
        """Apply weights to the products of each path, and sum all that go into one term."""
        sums: list[Tensor | None] = [None] * len(self._terms_out)
        for product, ((_, _, k), shape, _, start), mode in zip(
            products, self._paths, self._modes, strict=True
        ):
            weights = w.narrow(-1, start, prod(shape)).reshape(*w.shape[:-1], *shape)
            if mode == "uvu":
                each = product.reshape(product.shape[0], shape[1], shape[0], product.shape[2])
                term = (each * weights.transpose(-1, -2)[..., None]).sum(1)
            else:
                # [v u, w], because the products have the channels of the second factor outermost.
                matrix = weights.transpose(-2, -3).reshape(*w.shape[:-1], shape[0] * shape[1], shape[2])
                term = (product.mT @ matrix).mT
            before = sums[k]
            sums[k] = term if before is None else before + term
        return join_terms(
            (
                like.new_zeros(like.shape[0], count, 2 * degree + 1) if total is None else total
                for (count, degree), total in zip(self._terms_out, sums, strict=True)
            ),
            like,
        )

    def _pure(self, x: Tensor, y: Tensor, w: Tensor, edges: Edges | None) -> Tensor:
        gathered = _gathered(x, edges)
        return _summed(self._mix(self._products(gathered, y), w, gathered), edges)

    def extra_repr(self) -> str:
        """Return the irreps and the numbers of paths and weights, for printing."""
        return (
            f"{self.irreps_in1} x {self.irreps_in2} -> {self.irreps_out}, {len(self.instructions)} paths, "
            f"{self.weight_numel} weights"
        )


def _couple(one: Irrep, other: Irrep) -> list[Irrep]:
    """Return the irreps that two irreps couple to, in ascending order of the degrees."""
    return [Irrep(degree, one.p * other.p) for degree in range(abs(one.l - other.l), one.l + other.l + 1)]


def _gathered(x: Tensor, edges: Edges | None) -> Tensor:
    return x if edges is None else x.index_select(0, edges.senders)


def _summed(rows: Tensor, edges: Edges | None) -> Tensor:
    return (
        rows
        if edges is None
        else rows.new_zeros(edges.nodes, rows.shape[1]).index_add(0, edges.receivers, rows)
    )
