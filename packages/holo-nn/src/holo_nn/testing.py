"""Tests for any equivariant layer: functions that measure, and a test class to subclass.

A test file of a package that builds on these layers needs one small class for each module:

>>> from holo_nn import Linear
>>> class TestLinear(LayerTests):
...     def make(self):
...         return Linear("4x0e+4x1e", "3x0e+2x1e", bias=True), "4x0e+4x1e", "3x0e+2x1e"
>>> TestLinear().test_equivariance_float64()

pytest then checks that the module is equivariant to rounding error, and everything else that training, saving and
serving require of it. Importing this module does not need pytest.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from jaxtyping import Bool, Float64
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from holo_nn.kernels.dispatch import pure_form
from holo_nn.so3.irreps import IrrepsLike, read_irreps
from holo_nn.so3.wigner import rotate

__all__ = ["LayerTests", "equivariance_error", "equivariance_errors", "random_rotations"]

OneOrMore = IrrepsLike | tuple[IrrepsLike, ...]


def random_rotations(count: int, seed: int = 0) -> Float64[Tensor, "count 3 3"]:
    """Draw rotation matrices uniformly from SO(3), in float64.

    Parameters
    ----------
    count
        Number of matrices.
    seed
        The seed of the random numbers.

    Returns
    -------
    Tensor
        Shape ``[count, 3, 3]``, float64: a rotation of lower precision would add its own error to every test.

    Notes
    -----
    They come from unit quaternions, uniform on their sphere, which are normalized normal numbers.

    Examples
    --------
    >>> R = random_rotations(100)
    >>> bool((R @ R.mT - torch.eye(3)).abs().max() < 1e-14)
    True
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    quaternions = torch.randn(count, 4, generator=generator, dtype=torch.float64, device="cpu")
    w, *vector = (quaternions / quaternions.norm(dim=1, keepdim=True)).unbind(1)
    x, y, z = vector
    zero = torch.zeros_like(w)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).reshape(-1, 3, 3)
    identity = torch.eye(3, dtype=torch.float64, device="cpu")
    rotations: Tensor = identity + 2 * w[:, None, None] * cross + 2 * cross @ cross
    return rotations


def equivariance_errors(
    function: Callable[..., Tensor | tuple[Tensor, ...]],
    inputs: Tensor | tuple[Tensor, ...],
    irreps_in: OneOrMore,
    irreps_out: OneOrMore,
    rotations: Float64[Tensor, "batch 3 3"],
    *,
    dtype: torch.dtype = torch.float64,
    inversion: Bool[Tensor, " batch"] | bool = False,
) -> tuple[Float64[Tensor, " batch"], ...]:
    """Return |f(R x) - D(R) f(x)| for each sample, relative to the largest value of the output.

    Inputs are rotated, and outputs compared, in float64; only the function works in ``dtype``.

    Parameters
    ----------
    function
        A function of one or more features to one or more features; an output with more dimensions than ``[batch, dim]``
        is flattened (a frame ``[batch, 3, 3]`` is ``3x1e``: each row is a vector).
    inputs
        Float64 features, ``[batch, dim]`` each.
    irreps_in, irreps_out
        The irreps of each input and each output; a tuple if there are several.
    rotations
        One rotation for each sample.
    dtype
        The precision in which the function is tested; a module must be in it already.
    inversion
        Whether space is also inverted, for all samples or for each, which changes the sign of odd irreps.

    Returns
    -------
    tuple of Tensor
        For each output, the largest error of each sample, ``[batch]``.

    Examples
    --------
    >>> x = torch.randn(8, 3, dtype=torch.float64)
    >>> turned = equivariance_errors(lambda x: 2 * x, x, "1x1e", "1x1e", random_rotations(8))
    >>> squared = equivariance_errors(lambda x: x**2, x, "1x1e", "1x1e", random_rotations(8))
    >>> bool(turned[0].max() < 1e-15), bool(squared[0].max() > 0.1)
    (True, True)
    """
    plain = inputs if isinstance(inputs, tuple) else (inputs,)
    turned = tuple(
        rotate(features, irreps, rotations, inversion)
        for features, irreps in zip(plain, _several(irreps_in), strict=True)
    )
    before = _outputs(function(*(features.to(dtype) for features in plain)))
    after = _outputs(function(*(features.to(dtype) for features in turned)))
    errors = []
    for first, second, irreps in zip(before, after, _several(irreps_out), strict=True):
        difference = second - rotate(first, irreps, rotations, inversion)
        largest = torch.maximum(first.abs().max(), second.abs().max())
        errors.append(difference.abs().amax(1) / torch.where(largest > 0, largest, 1.0))
    return tuple(errors)


def equivariance_error(
    function: Callable[..., Tensor | tuple[Tensor, ...]],
    irreps_in: OneOrMore,
    irreps_out: OneOrMore,
    *,
    samples: int = 32,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> float:
    """Return the largest equivariance error of a function on normally distributed random input.

    Parameters
    ----------
    function, irreps_in, irreps_out, dtype
        As in `equivariance_errors`.
    samples
        Number of random inputs, each with its own rotation, and every second one with the inversion too.
    seed
        The seed of the inputs and rotations.

    Returns
    -------
    float
        The largest error over samples and outputs, relative to the largest value of its output.

    Examples
    --------
    >>> from holo_nn import TensorSquare
    >>> square = TensorSquare("2x0e+2x1e").double()
    >>> equivariance_error(square, square.irreps_in, square.irreps_out) < 1e-15
    True
    """
    inputs = _random_inputs(irreps_in, samples, seed)
    rotations, inversion = random_rotations(samples, seed), _every_other(samples)
    errors = equivariance_errors(
        function, inputs, irreps_in, irreps_out, rotations, dtype=dtype, inversion=inversion
    )
    return max(error.max().item() for error in errors)


def _every_other(samples: int) -> Tensor:
    return torch.arange(samples, device="cpu") % 2 == 1


def _several(irreps: OneOrMore) -> tuple[IrrepsLike, ...]:
    # Irreps, both ours and e3nn's, are tuples of their own class; several of them come in a plain tuple.
    return irreps if type(irreps) is tuple else (irreps,)


def _outputs(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    results = result if isinstance(result, tuple) else (result,)
    return tuple(output.detach().double().flatten(1) for output in results)


def _backward(result: Tensor | tuple[Tensor, ...]) -> None:
    """Backpropagate random gradients; for a plain sum, a value that is constant on average would get none."""
    outputs = result if isinstance(result, tuple) else (result,)
    generator = torch.Generator("cpu").manual_seed(3)
    gradients = [
        torch.randn(output.shape, generator=generator, dtype=torch.float32, device="cpu").to(output)
        for output in outputs
    ]
    torch.autograd.backward(outputs, gradients)


def _random_inputs(irreps_in: OneOrMore, samples: int, seed: int) -> tuple[Tensor, ...]:
    generator = torch.Generator("cpu").manual_seed(seed)
    return tuple(
        torch.randn(samples, read_irreps(irreps).dim, generator=generator, dtype=torch.float64, device="cpu")
        for irreps in _several(irreps_in)
    )


@contextmanager
def _default_device(device: str) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class _Doubled(nn.Module):
    """A parametrization that doubles the learned values."""

    def forward(self, learned: Tensor) -> Tensor:
        """Return twice the learned values."""
        return 2 * learned


def _several_of(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def _as_function(
    module: nn.Module, inputs: tuple[Tensor, ...]
) -> tuple[Callable[..., tuple[Tensor, ...]], list[Tensor]]:
    """Return a function of inputs and parameters of a module, and copies of these."""
    names = [name for name, _ in module.named_parameters()]

    def call(*values: Tensor) -> tuple[Tensor, ...]:
        state = dict(zip(names, values[len(inputs) :], strict=True))
        return _several_of(torch.func.functional_call(module, state, values[: len(inputs)]))

    return call, [x.detach().clone().requires_grad_() for x in (*inputs, *module.parameters())]


class LayerTests:
    """Tests that every equivariant module must pass; subclass it in a test file, and define `make`.

    Class attributes declare what a module does not support; each is True unless a subclass changes it, so that nothing
    escapes untested.

    Attributes
    ----------
    has_parameters : bool
        Whether there is anything to learn. Every single number must then get a gradient.
    exportable : bool
        Whether `torch.export` accepts it, with a batch of any size.
    autocastable : bool
        Whether it works under autocast to bfloat16.
    movable : bool
        Whether it works on any device to which it is moved.
    transformable : bool
        Whether `torch.func` can transform it, and its backward can be batched.
    twice_differentiable : bool
        Whether its gradients can be differentiated again.
    takes_any_samples : bool
        Whether samples may have any number of dimensions, ``[..., dim]``, rather than exactly one, ``[batch, dim]``.
    tolerances : dict
        The error allowed in each precision, relative to the largest value: of equivariance in float32 and float64, and
        of all outputs under autocast in bfloat16.
    """

    has_parameters = True
    exportable = True
    autocastable = True
    movable = True
    transformable = True
    twice_differentiable = True
    takes_any_samples = True
    tolerances = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 3e-2}  # noqa: RUF012  (never written)

    def make(self) -> tuple[nn.Module, OneOrMore, OneOrMore]:
        """Make the module as a user would, and return it with the irreps of its inputs and outputs; define this."""
        raise NotImplementedError(f"{type(self).__name__}.make must return (module, irreps_in, irreps_out)")

    def _prepare(
        self, dtype: torch.dtype = torch.float64, training: bool = False, samples: int = 5
    ) -> tuple[nn.Module, tuple[Tensor, ...]]:
        """Make the module with no number at its initial value, and random inputs for it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module, irreps_in, _ = self.make()
            # A bias of zero on a vector, for example, would pass every test of equivariance.
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.add_(0.3 * torch.randn_like(parameter))
            # Through float32, whatever precision the module was made in: float64 must be exact all the same.
            module.to(torch.float32).to(dtype)
            inputs = _random_inputs(irreps_in, samples, seed=1)
            with torch.no_grad():
                module.train()(*(3 * features.to(dtype) for features in inputs))  # to give it statistics
        return module.train(training), tuple(features.to(dtype) for features in inputs)

    def _check_equivariance(self, dtype: torch.dtype) -> None:
        _, irreps_in, irreps_out = self.make()
        for training in (False, True):
            module, inputs = self._prepare(dtype, training, samples=32)
            inputs = tuple(features.double() for features in inputs)
            errors = equivariance_errors(
                module,
                inputs,
                irreps_in,
                irreps_out,
                random_rotations(32, seed=2),
                dtype=dtype,
                inversion=_every_other(32),
            )
            for output, error in enumerate(errors):
                worst = error.max().item()
                assert worst <= self.tolerances[dtype], (
                    f"output {output} turns with an error of {worst:.1e} of its largest value in {dtype}, "
                    f"training={training}; at most {self.tolerances[dtype]:.0e} is allowed"
                )

    def test_equivariance_float32(self) -> None:
        """f(R x) = D(R) f(x), also with the inversion, to rounding error, in float32, evaluation and training."""
        self._check_equivariance(torch.float32)

    def test_equivariance_float64(self) -> None:
        """f(R x) = D(R) f(x), also with the inversion, to rounding error, in float64, evaluation and training."""
        self._check_equivariance(torch.float64)

    def test_samples_keep_their_order(self) -> None:
        """A batch in another order has its outputs in that order."""
        for training in (False, True):
            module, inputs = self._prepare(training=training)
            order = torch.tensor([3, 0, 4, 1, 2], device="cpu")
            outputs = _outputs(module(*inputs))
            reordered = _outputs(module(*(features[order] for features in inputs)))
            for output, other in zip(outputs, reordered, strict=True):
                torch.testing.assert_close(other, output[order], rtol=1e-12, atol=1e-12)

    def test_batch_of_one(self) -> None:
        """In evaluation, a sample alone has the same output as in a batch; in training, its output is finite."""
        module, inputs = self._prepare()
        outputs = _outputs(module(*inputs))
        for output, lone in zip(outputs, _outputs(module(*(x[:1] for x in inputs))), strict=True):
            torch.testing.assert_close(lone, output[:1], rtol=1e-12, atol=1e-12)
        for lone in _outputs(module.train()(*(x[:1] for x in inputs))):
            assert lone.isfinite().all()

    def test_empty_batch(self) -> None:
        """A batch without samples has an output without samples; it changes no statistics, and nothing is learned."""
        for training in (False, True):
            for form in (nullcontext, pure_form):
                module, inputs = self._prepare(training=training)
                before = copy.deepcopy(dict(module.named_buffers()))
                with form():
                    result = module(*(features[:0].requires_grad_() for features in inputs))
                    _backward(result)
                assert all(len(output) == 0 for output in _outputs(result))
                for name, buffer in module.named_buffers():
                    assert torch.equal(buffer, before[name]), f"{name} changed, training={training}"
                for name, parameter in module.named_parameters():
                    assert parameter.grad is None or not parameter.grad.any(), f"{name} got a gradient"

    def test_gradients_are_right(self) -> None:
        """Gradients of inputs and parameters equal finite differences, in float64."""
        for training in (False, True):
            module, inputs = self._prepare(training=training, samples=3)
            call, values = _as_function(module, inputs)
            assert torch.autograd.gradcheck(call, values, fast_mode=True)

    def test_every_parameter_learns(self) -> None:
        """Every number of every parameter gets a gradient that is not zero, so there are no dead weights."""
        module, inputs = self._prepare(training=True, samples=16)
        parameters = dict(module.named_parameters())
        assert bool(parameters) == self.has_parameters
        if not parameters:
            return
        _backward(module(*inputs))
        for name, parameter in parameters.items():
            assert parameter.grad is not None, f"{name} got no gradient"
            assert (parameter.grad != 0).all(), (
                f"{int((parameter.grad == 0).sum())} numbers of {name} are dead"
            )

    def test_zero_input(self) -> None:
        """Zeros, which define no direction, have finite values and finite gradients."""
        for training in (False, True):
            module, inputs = self._prepare(training=training)
            zeros = tuple(torch.zeros_like(x).requires_grad_() for x in inputs)
            result = module(*zeros)
            outputs = result if isinstance(result, tuple) else (result,)
            assert all(output.isfinite().all() for output in outputs)
            torch.stack([output.sum() for output in outputs]).sum().backward()  # type: ignore[no-untyped-call]
            gradients = [x.grad for x in (*zeros, *module.parameters())]
            assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)

    def test_state_round_trip(self) -> None:
        """Loading the state of one module makes another, with other numbers, equal to it."""
        module, inputs = self._prepare()
        other = self.make()[0].to(torch.float64).eval()
        other.load_state_dict(copy.deepcopy(module.state_dict()))
        for output, copied in zip(_outputs(module(*inputs)), _outputs(other(*inputs)), strict=True):
            assert torch.equal(output, copied)

    def test_export(self) -> None:
        """The module exported by `torch.export` computes the same on a batch of another size."""
        if not self.exportable:
            return
        module, inputs = self._prepare()
        batch = torch.export.Dim("batch", min=2)
        exported = torch.export.export(
            module, inputs, dynamic_shapes=tuple({0: batch} for _ in inputs), strict=False
        ).module()
        more = tuple(torch.cat([x, x.flip(0)]) for x in inputs)
        for output, other in zip(_outputs(module(*more)), _outputs(exported(*more)), strict=True):
            torch.testing.assert_close(other, output, rtol=1e-12, atol=1e-12)

    def test_autocast(self) -> None:
        """Under autocast to bfloat16, outputs are those of float32 to rounding error, and gradients are finite."""
        if not self.autocastable:
            return
        for training in (False, True):
            module, inputs = self._prepare(torch.float32, training, samples=16)
            inputs = tuple(features.requires_grad_() for features in inputs)
            expected = _outputs(module(*inputs))
            with torch.autocast("cpu", torch.bfloat16):
                result = module(*inputs)
            _backward(result)
            for output, exact in zip(_outputs(result), expected, strict=True):
                error = ((output - exact).abs().max() / exact.abs().max()).item()
                assert error <= self.tolerances[torch.bfloat16], (
                    f"an output under autocast is off by {error:.1e} of its largest value, training={training}; "
                    f"at most {self.tolerances[torch.bfloat16]:.0e} is allowed"
                )
            for tensor in (*inputs, *module.parameters()):
                assert tensor.grad is not None
                assert tensor.grad.isfinite().all()

    def test_devices(self) -> None:
        """On CUDA, if it is present, values and gradients equal the CPU's; on ``meta``, shapes and dtypes do."""
        if not self.movable:
            return
        for training in (False, True):
            module, inputs = self._prepare(torch.float32, training, samples=8)
            here = self._values_and_gradients(copy.deepcopy(module), inputs)
            for device in ("meta", "cuda") if torch.cuda.is_available() else ("meta",):
                there = self._values_and_gradients(
                    copy.deepcopy(module).to(device), tuple(features.to(device) for features in inputs)
                )
                for ours, theirs in zip(here, there, strict=True):
                    assert theirs.device.type == device
                    assert (theirs.shape, theirs.dtype) == (ours.shape, ours.dtype)
                    if device != "meta":
                        error = (theirs.cpu() - ours).abs().max()
                        assert error <= self.tolerances[torch.float32] * ours.abs().max()

    def test_defaults(self) -> None:
        """With another default device or dtype, values and gradients are identical, to the bit, to the usual ones."""
        for training in (False, True):
            module, inputs = self._prepare(torch.float32, training, samples=8)
            expected = self._values_and_gradients(copy.deepcopy(module), inputs)
            for default in (torch.device("meta"), _default_device("meta"), _default_dtype(torch.float64)):
                copied = copy.deepcopy(module)
                with default:
                    found = self._values_and_gradients(copied, inputs)
                for ours, theirs in zip(expected, found, strict=True):
                    assert theirs.device == ours.device
                    assert torch.equal(theirs, ours), f"training={training}"

    def test_dimensions_of_samples(self) -> None:
        """Samples in any number of dimensions, even none, have the same outputs as in one dimension."""
        if not self.takes_any_samples:
            return
        module, inputs = self._prepare(samples=6)
        expected = module(*inputs)
        for samples in ((2, 3), (1, 6, 1), ()):
            several = 1 if samples == () else 6
            given = tuple(x[:several].reshape(*samples, x.shape[1]) for x in inputs)
            for output, plain in zip(_several_of(module(*given)), _several_of(expected), strict=True):
                assert output.shape == (*samples, *plain.shape[1:])
                torch.testing.assert_close(
                    output.reshape(plain[:several].shape), plain[:several], rtol=1e-12, atol=1e-12
                )

    def test_second_derivatives(self) -> None:
        """Gradients of gradients equal finite differences of gradients, in float64."""
        if not self.twice_differentiable:
            return
        for training in (False, True):
            module, inputs = self._prepare(training=training, samples=3)
            call, values = _as_function(module, inputs)
            assert torch.autograd.gradgradcheck(call, values, fast_mode=True)

    def test_batched_backward(self) -> None:
        """Many gradients at once (``is_grads_batched``, ``vmap`` of a backward) equal those computed one by one."""
        if not self.transformable:
            return
        for training in (False, True):
            module, inputs = self._prepare(training=training, samples=3)
            call, values = _as_function(module, inputs)
            for output in call(*values):
                generator = torch.Generator("cpu").manual_seed(5)
                several = torch.randn(4, *output.shape, generator=generator, dtype=output.dtype, device="cpu")

                def backward(
                    gradient: Tensor,
                    batched: bool = False,
                    output: Tensor = output,
                    values: list[Tensor] = values,
                ) -> tuple[Tensor, ...]:
                    return torch.autograd.grad(
                        output,
                        values,
                        gradient,
                        retain_graph=True,
                        allow_unused=True,
                        is_grads_batched=batched,
                        materialize_grads=True,
                    )

                one_by_one = [torch.stack(each) for each in zip(*map(backward, several), strict=True)]
                for found in (backward(several, batched=True), torch.vmap(backward)(several)):
                    for ours, theirs in zip(found, one_by_one, strict=True):
                        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)

    def test_transforms_of_samples(self) -> None:
        """``vmap`` over samples, and of ``grad``, computes in evaluation the same as a batch."""
        if not self.transformable:
            return
        module, inputs = self._prepare()

        def alone(*sample: Tensor) -> tuple[Tensor, ...]:
            return tuple(output[0] for output in _several_of(module(*(x[None] for x in sample))))

        for output, mapped in zip(_several_of(module(*inputs)), torch.vmap(alone)(*inputs), strict=True):
            torch.testing.assert_close(mapped, output, rtol=1e-12, atol=1e-12)

        def energy(*sample: Tensor) -> Tensor:
            return torch.stack([output.square().sum() for output in alone(*sample)]).sum()

        places = tuple(range(len(inputs)))
        expected = torch.func.grad(
            lambda *x: torch.stack([y.square().sum() for y in _several_of(module(*x))]).sum(), places
        )(*inputs)
        for ours, theirs in zip(torch.vmap(torch.func.grad(energy, places))(*inputs), expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)

    def test_ensemble(self) -> None:
        """Modules stacked by `torch.func.stack_module_state` and mapped by ``vmap`` compute what each one does."""
        if not (self.transformable and self.has_parameters):
            return
        for training in (False, True):
            module, inputs = self._prepare(training=training)
            members = [copy.deepcopy(module) for _ in range(3)]
            with torch.no_grad():
                for number, member in enumerate(members):
                    for parameter in member.parameters():
                        parameter.mul_(1 + 0.1 * number)
            state = torch.func.stack_module_state(members)

            def call(
                parameters: dict[str, Tensor],
                buffers: dict[str, Tensor],
                module: nn.Module = module,
                inputs: tuple[Tensor, ...] = inputs,
            ) -> tuple[Tensor, ...]:
                return _several_of(torch.func.functional_call(module, (parameters, buffers), inputs))

            together = torch.vmap(call)(*state)
            for number, member in enumerate(members):
                for output, mapped in zip(_several_of(member(*inputs)), together, strict=True):
                    torch.testing.assert_close(mapped[number], output, rtol=1e-10, atol=1e-10)

    def test_averaging(self) -> None:
        """The average of a module with itself, buffers included, computes what the module does."""
        if not self.has_parameters:
            return
        module, inputs = self._prepare()
        moving = get_ema_multi_avg_fn(0.9999)  # type: ignore[no-untyped-call]
        average = AveragedModel(module, multi_avg_fn=moving, use_buffers=True)
        for _ in range(10):
            average.update_parameters(module)
        for output, averaged in zip(_outputs(module(*inputs)), _outputs(average(*inputs)), strict=True):
            torch.testing.assert_close(averaged, output, rtol=1e-12, atol=1e-12)

    def test_made_without_memory(self) -> None:
        """Made on ``meta``, it takes a state by assignment or after `to_empty`, or starts with `reset_parameters`."""
        module, inputs = self._prepare()
        expected = _outputs(module(*inputs))
        for assign in (True, False):
            with torch.device("meta"):
                other = self.make()[0].to(torch.float64)
            assert all(tensor.is_meta for tensor in (*other.parameters(), *other.buffers()))
            if not assign:
                other.to_empty(device="cpu")
            other.load_state_dict(copy.deepcopy(module.state_dict()), assign=assign)
            other.to(torch.float64).eval()
            for output, made in zip(expected, _outputs(other(*inputs)), strict=True):
                assert torch.equal(made, output), f"assign={assign}"
        with torch.device("meta"):
            other = self.make()[0]
        for part in other.modules():
            part.to_empty(device="cpu", recurse=False)
            for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False)):
                nn.init.constant_(tensor, float("nan"))
        for part in other.modules():
            if [*part.parameters(recurse=False), *part.buffers(recurse=False)]:
                part.reset_parameters()  # type: ignore[operator]
        for output in _outputs(other.to(torch.float32)(*(x.float() for x in inputs))):
            assert output.isfinite().all()

    def test_parametrizations(self) -> None:
        """Parameters that `torch.nn.utils.parametrize` computes from others are used, and the others get gradients."""
        if not self.has_parameters:
            return
        for training in (False, True):
            module, inputs = self._prepare(training=training)
            doubled, parametrized = copy.deepcopy(module), copy.deepcopy(module)
            with torch.no_grad():
                for parameter in doubled.parameters():
                    parameter.mul_(2)
            for part in list(parametrized.modules()):
                for name, _ in list(part.named_parameters(recurse=False)):
                    parametrize.register_parametrization(part, name, _Doubled())
            results = [_several_of(each(*inputs)) for each in (doubled, parametrized)]
            for output, other in zip(*results, strict=True):
                torch.testing.assert_close(other, output, rtol=1e-12, atol=1e-12)
            for result in results:
                _backward(result)
            gradients = [
                sorted(float(p.grad.abs().sum()) for p in each.parameters() if p.grad is not None)
                for each in (doubled, parametrized)
            ]
            for ours, theirs in zip(*gradients, strict=True):
                assert abs(theirs - 2 * ours) <= 1e-9 * (1 + ours)

    def test_hooks(self) -> None:
        """The hooks of every part of the module that computes are called, and so are those of all modules."""
        module, inputs = self._prepare()
        expected = _outputs(module(*inputs))
        called: set[int] = set()
        handles = [
            part.register_forward_hook(lambda part, _inputs, _output: called.add(id(part)))
            for part in module.modules()
        ]
        for output, hooked in zip(expected, _outputs(module(*inputs)), strict=True):
            torch.testing.assert_close(hooked, output, rtol=1e-12, atol=1e-12)
        parts = {
            id(part): type(part).__name__
            for part in module.modules()
            if part is module or any(True for _ in part.parameters(recurse=False))
        }
        assert parts.keys() <= called, f"not called: {[parts[each] for each in parts.keys() - called]}"
        for handle in handles:
            handle.remove()
        called.clear()
        everywhere = nn.modules.module.register_module_forward_hook(
            lambda part, _inputs, _output: called.add(id(part))
        )
        try:
            module(*inputs)
        finally:
            everywhere.remove()
        assert parts.keys() <= called, f"not called: {[parts[each] for each in parts.keys() - called]}"

    def test_other_precision(self) -> None:
        """Features of another precision than the module's are either computed with, or refused by naming both."""
        for wrong, right in ((torch.float32, torch.float64), (torch.float64, torch.float32)):
            module, inputs = self._prepare(right)
            try:
                outputs = _several_of(module(*(x.to(wrong) for x in inputs)))
            except ValueError as error:
                text = str(error)
                assert str(wrong) in text, f"the message does not name {wrong}: {text}"
                assert str(right) in text, f"the message does not name {right}: {text}"
            else:
                assert all(output.dtype == wrong and output.isfinite().all() for output in outputs)

    @staticmethod
    def _values_and_gradients(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        inputs = tuple(features.detach().requires_grad_() for features in inputs)
        result = module(*inputs)
        _backward(result)
        outputs = result if isinstance(result, tuple) else (result,)
        gradients = (tensor.grad for tensor in (*inputs, *module.parameters()))
        return *(output.detach() for output in outputs), *(each for each in gradients if each is not None)
