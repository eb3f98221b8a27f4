"""Weighted tensor products as compiled loops: gathered along edges, multiplied, and summed into nodes.

Let P(x, y, w) be the product, which is linear in each of its three factors, g the gradient of its result, and
S(x, y, w, g) = <g, P(x, y, w)>. The gradients of the factors are S_x = dS/dx, S_y and S_w. To differentiate these again
with cotangents a, b and c, use that S is linear in each argument, so that <a, S_x> = S(a, y, w, g) and

    <a, S_x> + <b, S_y> + <c, S_w> = S(a, y, w, g) + S(x, b, w, g) + S(x, y, c, g).

Each summand is S with one factor replaced: its gradients are those of a product, and its gradient in g is a product.
Hence derivatives of every order are products and their gradients, and the same loops compute them.
"""

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from holo_kernels.tensor_product import Product
from holo_kernels.threads import in_parts

from .dispatch import is_batched
from .edges import Edges
from .product_plan import PreparedProduct
from .threads import part_count, workspace

__all__ = ["CompiledProduct", "compute_product"]

_Pure: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]

# A part with fewer multiplications (some 20 µs) is not worth a thread of its own.
_LEAST_MULTIPLICATIONS = 1 << 18


class CompiledProduct(NamedTuple):
    """A product as the compiled loops compute it.

    Attributes
    ----------
    plan
        The plan of its paths.
    edges
        The edges along which it is gathered and summed; None: row by row.
    pure
        The product in plain PyTorch, for batched gradients.
    """

    plan: PreparedProduct
    edges: Edges | None
    pure: _Pure


class _Factors(NamedTuple):
    """The factors of a product: features ``[nodes, dim_in]``, ``[edges, dim_y]``; weights for each edge or for all."""

    x: Tensor
    y: Tensor
    w: Tensor

    def contiguous(self) -> "_Factors":
        return _Factors(*(each.contiguous() for each in self))


# Which gradients are required, and the gradients: those of x, y and w.
_Wanted: TypeAlias = tuple[bool, bool, bool]
_Found: TypeAlias = tuple[Tensor | None, Tensor | None, Tensor | None]


class _Product(torch.autograd.Function):
    """The product of the three factors."""

    @staticmethod
    def forward(ctx: Any, form: CompiledProduct, *factors: Tensor) -> Tensor:
        ctx.save_for_backward(*factors)
        ctx.form = form
        return _forward(_Factors(*factors).contiguous(), form)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        factors, wanted = _Factors(*ctx.saved_tensors), ctx.needs_input_grad[1:]
        compute = _pure_gradients if is_batched(gradient) else _gradients
        return None, *compute(factors, gradient, ctx.form, wanted)


class _Gradients(torch.autograd.Function):
    """The gradients of the three factors of a product, given the gradient of the product, which is the last tensor."""

    @staticmethod
    def forward(ctx: Any, form: CompiledProduct, wanted: _Wanted, *tensors: Tensor) -> _Found:
        ctx.save_for_backward(*tensors)
        ctx.form, ctx.wanted = form, wanted
        ctx.set_materialize_grads(False)
        return _backward(_Factors(*tensors[:3]).contiguous(), tensors[3].contiguous(), form, wanted)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        *saved, gradient = ctx.saved_tensors
        needs, form = ctx.needs_input_grad[2:], ctx.form
        if any(each is not None and is_batched(each) for each in cotangents):
            return None, None, *_pure_second(ctx, cotangents, needs)
        sums: list[Tensor | None] = [None] * 4
        for place, cotangent in enumerate(cotangents):
            if cotangent is None:
                continue
            factors = _Factors(*saved)._replace(**{_Factors._fields[place]: cotangent})
            x, y, w = (needed and number != place for number, needed in enumerate(needs[:3]))
            found = [*_gradients(factors, gradient, form, (x, y, w)), None]
            if needs[3]:
                found[3] = compute_product(*factors, form)
            sums = [_added(total, each) for total, each in zip(sums, found, strict=True)]
        return None, None, *sums


def _added(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    if total is None or more is None:
        return more if total is None else total
    return total + more


def _gradients(factors: _Factors, gradient: Tensor, form: CompiledProduct, wanted: _Wanted) -> _Found:
    if not any(wanted):
        return None, None, None
    if torch.is_grad_enabled():
        found: _Found = _Gradients.apply(form, wanted, *factors, gradient)  # type: ignore[no-untyped-call]
        return found
    return _backward(factors.contiguous(), gradient.contiguous(), form, wanted)


def _pure_gradients(factors: _Factors, gradient: Tensor, form: CompiledProduct, wanted: _Wanted) -> _Found:
    """Compute the gradients by the pure form, which also takes a batched gradient."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        result = form.pure(*factors)
    of = [factor for factor, needed in zip(factors, wanted, strict=True) if needed]
    found = iter(torch.autograd.grad(result, of, gradient, create_graph=again, materialize_grads=True))
    dx, dy, dw = (next(found) if needed else None for needed in wanted)
    return dx, dy, dw


def _pure_second(
    ctx: Any, cotangents: tuple[Tensor | None, ...], needs: tuple[bool, ...]
) -> list[Tensor | None]:
    """Differentiate the gradients by the pure form."""
    again = torch.is_grad_enabled()
    tensors = ctx.saved_tensors
    with torch.enable_grad():
        first = _pure_gradients(_Factors(*tensors[:3]), tensors[3], ctx.form, ctx.wanted)
    pairs = [
        (result, each)
        for result, each in zip(first, cotangents, strict=True)
        if result is not None and each is not None
    ]
    results, given = zip(*pairs, strict=True)
    of = [each for each, needed in zip(tensors, needs, strict=True) if needed]
    found = iter(torch.autograd.grad(results, of, given, create_graph=again, materialize_grads=True))
    return [next(found) if needed else None for needed in needs]


def _call(factors: _Factors, form: CompiledProduct) -> tuple[Product, list[Tensor]]:
    """Return the arguments of the compiled functions, and the memory that must live as long as they."""
    x, y, w = factors
    edges, nodes = form.edges, x.shape[0]
    lanes = x.new_empty(nodes * form.plan.lanes_in)
    call = Product(
        plan=form.plan.address,
        nodes_in=nodes,
        nodes_out=nodes if edges is None else edges.nodes,
        x=x.data_ptr(),
        y=y.data_ptr(),
        w=w.data_ptr(),
        weight_row=w.shape[1] if w.ndim == 2 else 0,
        x_lanes=lanes.data_ptr(),
        work_numbers=form.plan.work_numbers,
    )
    if edges is not None:
        start, order = edges.by_receivers
        call.start_out, call.order_out = start.data_ptr(), order.data_ptr()
        call.senders, call.receivers = edges.senders.data_ptr(), edges.receivers.data_ptr()
    return call, [lanes]


def _parts(form: CompiledProduct, rows: int) -> int:
    edges = rows if form.edges is None else len(form.edges)
    each = max(1, form.plan.multiplications * edges // max(1, rows))
    return part_count(rows, _LEAST_MULTIPLICATIONS // each)


def _forward(factors: _Factors, form: CompiledProduct) -> Tensor:
    call, _memory = _call(factors, form)
    x = factors.x
    functions, parts = form.plan.functions, _parts(form, call.nodes_out)
    out = x.new_empty(call.nodes_out, form.plan.dim_out)
    call.out = out.data_ptr()
    with workspace(parts * form.plan.work_numbers * x.itemsize) as work:
        call.work = work
        address = ctypes.addressof(call)
        in_parts(
            [
                (functions.product_turn_x, address, part_count(x.shape[0])),
                (functions.product_forward, address, parts),
            ]
        )
    return out


def _backward(factors: _Factors, gradient: Tensor, form: CompiledProduct, wanted: _Wanted) -> _Found:
    call, _memory = _call(factors, form)
    x, y, w = factors
    plan, functions = form.plan, form.plan.functions
    gradient_lanes = x.new_empty(call.nodes_out * plan.lanes_out)
    call.gradient, call.gradient_lanes = gradient.data_ptr(), gradient_lanes.data_ptr()
    address = ctypes.addressof(call)
    parts = _parts(form, call.nodes_out)
    work_parts = max(parts, _parts(form, call.nodes_in))
    pieces = [(functions.product_turn_gradient, address, part_count(call.nodes_out))]
    dx = dy = dw = None
    if wanted[1] or wanted[2]:
        dy = torch.empty_like(y)
        dw = torch.empty_like(w) if w.ndim == 2 else w.new_empty(parts, w.shape[0])
        call.dy, call.dw = dy.data_ptr(), dw.data_ptr()
        pieces += [
            (functions.product_turn_x, address, part_count(call.nodes_in)),
            (functions.product_backward_edges, address, parts),
        ]
    if wanted[0]:
        dx = torch.empty_like(x)
        call.dx = dx.data_ptr()
        if form.edges is not None:
            start, order = form.edges.by_senders
            call.start_in, call.order_in = start.data_ptr(), order.data_ptr()
        pieces.append((functions.product_backward_nodes, address, _parts(form, call.nodes_in)))
    with workspace(work_parts * plan.work_numbers * x.itemsize) as work:
        call.work = work
        in_parts(pieces)
    if dw is not None and w.ndim == 1:
        dw = dw.sum(0)
    return dx, dy if wanted[1] else None, dw if wanted[2] else None


def compute_product(x: Tensor, y: Tensor, w: Tensor, form: CompiledProduct) -> Tensor:
    """Compute a product of features ``[nodes, dim_in]`` and ``[edges, dim_y]``, summed at the receiving nodes.

    Parameters
    ----------
    x, y
        Features of nodes and of edges, for which `compiled_serves` is true; they must not be empty.
    w
        Weights, one set for each row or one for all.
    form
        The plan, the edges and the pure form of the product.
    """
    if torch.is_grad_enabled():
        result: Tensor = _Product.apply(form, x, y, w)  # type: ignore[no-untyped-call]
        return result
    return _forward(_Factors(x, y, w).contiguous(), form)
