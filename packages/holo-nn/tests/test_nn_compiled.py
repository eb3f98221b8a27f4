"""The compiled form of the block has the numbers of the pure form, which is used wherever it cannot be."""

import copy
import io
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from multiprocessing.reduction import ForkingPickler

import pytest
import torch
from torch import nn

from holo_kernels.tensor_square import functions
from holo_nn import Block, Blocks, Linear, TensorSquare, accumulate_gradients
from holo_nn.kernels import compiled_block
from holo_nn.kernels.dispatch import pure_form
from holo_nn.kernels.rows import from_rows, to_rows

pytestmark = pytest.mark.skipif(functions("float32") is None, reason="no compiled loops for this processor")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """Let threads share even the small batches of tests."""
    monkeypatch.setattr(compiled_block, "_LEAST_PRODUCTS", 1)


def uniform(channels, lmax):
    return "+".join(f"{channels}x{degree}e" for degree in range(lmax + 1))


def randomized(module, dtype=torch.float32, seed=0):
    """Set every parameter and statistic to another than its initial value."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            start = 0.0 if "linear" in name else tensor  # which is drawn at random otherwise
            tensor.copy_(0.5 + noise.abs() if "running_var" in name else start + 0.2 * noise)
    return module.to(dtype)


def features(irreps, batch, dtype=torch.float32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, irreps.dim, generator=generator, dtype=torch.float64).to(dtype)


def outcome(block, x, pure=False):
    """Return all results of a training step with a copy of a module, by name."""
    block = copy.deepcopy(block)
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    with pure_form() if pure else torch.enable_grad():
        y = block(x)
        assert not (pure and is_compiled(y))
        weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        (y * weights.to(y)).sum().backward()
    found = {"output": y.detach(), "input": x.grad}
    found |= {name: parameter.grad for name, parameter in block.named_parameters()}
    return found | {name: tensor.clone() for name, tensor in block.named_buffers() if "running" in name}


def assert_same(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        # Numbers are of size one, and gradients sums of such: one that cancels has their rounding all the same.
        scale = tensor.abs().max().clamp(min=1.0)
        torch.testing.assert_close(found[name] / scale, tensor / scale, rtol=0, atol=tolerance, msg=name)


def is_compiled(y):
    return any(name in type(y.grad_fn).__name__ for name in ("_Blocks", "_Relayout", "_Square"))


SHAPES = [
    (uniform(3, 2), uniform(5, 3)),
    (uniform(1, 4), uniform(16, 4)),
    (uniform(16, 4), uniform(1, 3)),
    (uniform(60, 2), uniform(44, 2)),
    (uniform(5, 0), uniform(3, 0)),
    (uniform(9, 3), "5x0e+2x1e+13x2e+1x3e+4x4e"),
    (uniform(8, 10), uniform(8, 10)),
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("irreps_in", "irreps_out"), SHAPES)
def test_the_same_numbers_as_the_pure_form(irreps_in, irreps_out, training):
    block = randomized(Block(irreps_in, irreps_out)).train(training)
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        x = features(block.irreps_in, 37, dtype)
        block.to(dtype)
        assert is_compiled(block(x))
        assert_same(outcome(block, x), outcome(block, x, pure=True), tolerance)


@pytest.mark.parametrize("options", [{"batch_norm": False}, {"skip": False}, {"connectivity": "full"}])
def test_the_same_numbers_with_every_option(options):
    block = randomized(Block(uniform(6, 3), uniform(7, 2), **options), torch.float64)
    x = features(block.irreps_in, 11, torch.float64)
    assert is_compiled(block(x))
    assert_same(outcome(block, x), outcome(block, x, pure=True), 1e-12)


def test_a_skip_much_larger_than_what_it_is_added_to():
    block = randomized(Block(uniform(8, 3), uniform(8, 3)))
    x = 1e4 * features(block.irreps_in, 37)
    expected = outcome(copy.deepcopy(block).double(), x.double(), pure=True)
    for name, tensor in outcome(block, x).items():
        scale = expected[name].abs().max()
        torch.testing.assert_close(
            tensor / scale, (expected[name] / scale).float(), rtol=0, atol=3e-6, msg=name
        )


@pytest.mark.parametrize("batch", [1, 2, 3, 8, 31, 33, 130])
@pytest.mark.parametrize("threads", [1, 3])
def test_batches_of_any_size(batch, threads):
    before = torch.get_num_threads()
    block = randomized(Block(uniform(7, 3), uniform(5, 2)), torch.float64)
    x = features(block.irreps_in, batch, torch.float64)
    torch.set_num_threads(threads)
    try:
        found, again = outcome(block, x), outcome(block, x)
    finally:
        torch.set_num_threads(before)
    assert_same(found, outcome(block, x, pure=True), 1e-12)
    for name, tensor in found.items():
        assert torch.equal(tensor, again[name])


def test_a_step_without_samples_leaves_training_as_it_was():
    blocks = randomized(Blocks(Block(uniform(4, 2), uniform(3, 1)), Block(uniform(3, 1), uniform(2, 1))))
    other = copy.deepcopy(blocks)
    optimizer = torch.optim.SGD(blocks.parameters(), lr=0.1)
    x = features(blocks[0].irreps_in, 0).requires_grad_()
    y = blocks(x)
    y.sum().backward()
    optimizer.step()
    assert (len(y), x.grad.shape) == (0, x.shape)
    z = features(blocks[0].irreps_in, 9)
    assert_same(outcome(blocks, z), outcome(other, z), 0)


def test_input_and_gradient_that_are_not_contiguous():
    block = randomized(Block(uniform(4, 2), uniform(3, 1)), torch.float64)
    x = features(block.irreps_in, 12, torch.float64)
    expected = outcome(block, x, pure=True)
    assert_same(outcome(block, x.T.contiguous().T), expected, 1e-12)
    y = block(x.requires_grad_())
    (gradient,) = torch.autograd.grad(y.sum(), x, retain_graph=True)  # expanded from one number
    (other,) = torch.autograd.grad(y, x, torch.ones_like(y))
    torch.testing.assert_close(gradient, other, rtol=0, atol=0)


def test_weights_that_are_not_contiguous():
    block = randomized(Block(uniform(4, 2), uniform(3, 1)), torch.float64)
    x = features(block.irreps_in, 12, torch.float64)
    expected = outcome(block, x)
    for weight in block.linear.weights.values():
        weight.data = weight.data.T.contiguous().T
    assert_same(outcome(block, x), expected, 0)


def test_gradients_of_some_only():
    block = randomized(Block(uniform(4, 2), uniform(3, 1)), torch.float64)
    x = features(block.irreps_in, 12, torch.float64)
    expected = outcome(block, x)
    for name, parameter in block.named_parameters():
        parameter.requires_grad_(name in ("batch_norm.bias", "linear.weights.1"))
    block(x).sum()
    found = outcome(block, x)
    assert [name for name, _ in block.named_parameters() if found[name] is not None] == [
        "batch_norm.bias",
        "linear.weights.1",
    ]
    for name in ("batch_norm.bias", "linear.weights.1", "input"):
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0)
    block.requires_grad_(False)
    assert not block(x).requires_grad


@pytest.mark.parametrize("connectivity", ["efficient", "full"])
@pytest.mark.parametrize(
    ("channels", "lmax_in", "lmax"),
    [(3, 2, 4), (1, 4, 3), (7, 3, 6), (60, 2, 2), (8, 10, 10), (2, 0, 0), (130, 1, 2)],
)
def test_the_tensor_square_alone(channels, lmax_in, lmax, connectivity):
    square = TensorSquare(uniform(channels, lmax_in), lmax, connectivity=connectivity)
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        for batch in (1, 3, 37):
            x = features(square.irreps_in, batch, dtype)
            assert is_compiled(square.to(dtype)(x.requires_grad_()))
            assert_same(outcome(square, x), outcome(square, x, pure=True), tolerance)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_tensor_square_of_what_is_not_contiguous(threads):
    before = torch.get_num_threads()
    square = TensorSquare(uniform(5, 3)).double()
    x = features(square.irreps_in, 67, torch.float64)
    expected = outcome(square, x, pure=True)
    torch.set_num_threads(threads)
    try:
        assert_same(outcome(square, x.T.contiguous().T), expected, 1e-12)
        y = square(x.requires_grad_())
        (found,) = torch.autograd.grad(y.sum(), x, retain_graph=True)  # expanded from one number
        (other,) = torch.autograd.grad(y, x, torch.ones_like(y))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found, other, rtol=0, atol=0)


def test_second_derivatives_of_the_tensor_square():
    square = TensorSquare("2x0e+2x1e").double()
    x = features(square.irreps_in, 3, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(square, x)
    assert torch.autograd.gradgradcheck(square, x)


@pytest.mark.parametrize("terms", [((4, 1), (3, 0), (5, 1)), ((2, 3),), ((1, 2), (7, 0), (6, 2), (1, 0))])
def test_rows_of_terms_in_any_order(terms):
    batch = 19
    pieces = [torch.randn(batch, width, 2 * degree + 1) for width, degree in terms]
    flat = torch.cat([piece.flatten(1) for piece in pieces], dim=1)
    rows = to_rows(flat, terms)
    assert torch.equal(rows, torch.cat([piece.permute(2, 0, 1).flatten() for piece in pieces]))
    assert torch.equal(from_rows(rows, terms, batch), flat)


@pytest.mark.parametrize("bias", [True, False])
def test_the_linear_layer_alone(bias):
    linear = randomized(Linear("3x0e+2x2e+4x3e", "5x0e+2x1e+3x2e", bias=bias), torch.float64)
    x = features(linear.irreps_in, 7, torch.float64)
    assert is_compiled(linear(x))
    assert_same(outcome(linear, x), outcome(linear, x, pure=True), 1e-13)
    assert torch.autograd.gradgradcheck(linear, x.requires_grad_())


@pytest.mark.parametrize("training", [True, False])
def test_second_derivatives(training):
    block = randomized(Block("2x0e+2x1e", "1x0e+2x1e"), torch.float64).train(training)
    x = features(block.irreps_in, 3, torch.float64).requires_grad_()
    assert is_compiled(block(x))
    before = copy.deepcopy(block.state_dict())
    y = block(x)
    (gradient,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    after = block.state_dict()
    assert gradient.requires_grad
    if training:  # the statistics moved once, by the forward
        moved = copy.deepcopy(block)
        moved.load_state_dict(before)
        with pure_form():
            moved(x)
        for name, tensor in moved.state_dict().items():
            torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-14)
    parameters = list(block.parameters())
    names = [name for name, _ in block.named_parameters()]

    def call(x, *values):
        return torch.func.functional_call(block, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(call, (x, *parameters))
    assert torch.autograd.gradgradcheck(call, (x, *parameters))


def test_blocks_one_after_another():
    chain = Blocks(Block(uniform(4, 3), uniform(6, 3)), Block(uniform(6, 3), uniform(5, 1)))
    plain = nn.Sequential(*copy.deepcopy(list(chain)))
    chain, plain = randomized(chain, torch.float64), randomized(plain, torch.float64)
    assert chain.state_dict().keys() == plain.state_dict().keys()
    x = features(chain[0].irreps_in, 13, torch.float64)
    assert_same(outcome(chain, x), outcome(plain, x, pure=True), 1e-12)
    with pytest.raises(ValueError, match="features has shape"):
        chain(x[:, 1:])
    with pytest.raises(ValueError, match=r"a block gives .* and the next takes"):
        Blocks(chain[1], chain[1])
    with pytest.raises(ValueError, match="there are none"):
        Blocks()


def test_slices_of_blocks():
    sizes = uniform(4, 3), uniform(6, 3), uniform(5, 1), uniform(3, 1)
    chain = randomized(Blocks(*(Block(*each) for each in pairwise(sizes))), torch.float64)
    x = features(chain.irreps_in, 13, torch.float64)
    plain = nn.Sequential(*chain)
    for where in (slice(0, 1), slice(0, 2), slice(None)):
        part = chain[where]
        assert type(part) is Blocks
        assert part.state_dict().keys() == plain[where].state_dict().keys()
        assert_same(outcome(part, x), outcome(plain[where], x, pure=True), 1e-12)
    rest = chain[1:]
    assert list(rest) == [chain[1], chain[2]]
    assert rest.state_dict().keys() == plain[1:].state_dict().keys()
    assert (rest.irreps_in, rest.irreps_out) == (chain[1].irreps_in, chain.irreps_out)
    with pytest.raises(ValueError, match=r"a block gives .* and the next takes"):
        chain[::2]
    with pytest.raises(ValueError, match="there are none"):
        chain[3:]


def test_gradients_are_accumulated_in_place():
    chain = randomized(Blocks(Block(uniform(4, 3), uniform(6, 3)), Block(uniform(6, 3), uniform(5, 1))))
    other, x = copy.deepcopy(chain), features(chain[0].irreps_in, 13)
    memory = {}
    for name, parameter in chain.named_parameters():
        memory[name] = parameter.grad = torch.ones_like(parameter)
    accumulate_gradients(chain(x).square().sum())
    accumulate_gradients(chain(x).sum() + chain(2 * x).sum())
    other(x).square().sum().backward()
    (other(x).sum() + other(2 * x).sum()).backward()
    for name, parameter in other.named_parameters():
        scale = parameter.grad.abs().max().clamp(min=1.0)
        torch.testing.assert_close(memory[name] / scale, (parameter.grad + 1) / scale, rtol=0, atol=1e-6)
        assert chain.get_parameter(name).grad is memory[name]
    before = copy.deepcopy(memory)
    chain(x).sum().backward(inputs=[x.requires_grad_()])
    assert all(torch.equal(memory[name], before[name]) for name in memory)


@pytest.mark.filterwarnings("ignore:grad and param do not obey the gradient layout")
@pytest.mark.parametrize("how", ["hook", "accumulated", "frozen", "strided", "without"])
def test_what_cannot_be_accumulated_in_place_is_handed_to_autograd(how):
    block, seen = randomized(Block(uniform(4, 2), uniform(6, 2))), []
    other, x = copy.deepcopy(block), features(block.irreps_in, 5)
    for parameter in block.parameters():
        parameter.grad = torch.zeros_like(parameter)
    weight = block.linear.weights["1"]
    match how:
        case "hook":
            weight.register_hook(seen.append)
        case "accumulated":
            weight.register_post_accumulate_grad_hook(seen.append)
        case "frozen":
            weight.requires_grad_(False)
        case "strided":
            weight.grad = torch.zeros(weight.shape[::-1]).T
        case "without":
            weight.grad = None
    accumulate_gradients(block(x).square().sum())
    other(x).square().sum().backward()
    assert len(seen) == (how in ("hook", "accumulated"))
    for name, parameter in other.named_parameters():
        found, expected = block.get_parameter(name), parameter.grad
        if not found.requires_grad:
            expected = torch.zeros_like(expected)
        torch.testing.assert_close(
            found.grad, expected, rtol=0, atol=1e-6 * expected.abs().max().item() + 1e-6
        )


@pytest.mark.parametrize("where", ["block", "batch_norm", "tensor_square", "signal_norm", "linear"])
def test_hooks_see_what_they_hook(where):
    chain = Blocks(Block(uniform(4, 2), uniform(3, 1))).double()
    module = chain[0] if where == "block" else getattr(chain[0], where)
    x, seen = features(chain[0].irreps_in, 5, torch.float64), []
    expected = chain(x)
    module.register_forward_hook(lambda *call: seen.append(call[2]))
    torch.testing.assert_close(chain(x), expected, rtol=0, atol=1e-12)
    assert len(seen) == 1


@pytest.mark.parametrize("norm", ["layer", "instance", None])
def test_other_norms_take_the_pure_form(norm):
    blocks = Blocks(*(Block(uniform(4, 2), uniform(4, 2), norm=name) for name in ("signal", norm)))
    x = features(blocks[0].irreps_in, 5)
    assert blocks[1]._compiled(x.dtype) is None
    with pure_form():
        expected = blocks.eval()(x)
    torch.testing.assert_close(blocks(x), expected, rtol=0, atol=1e-5)


def test_another_layer_in_a_place_is_used():
    block = randomized(Block(uniform(4, 2), uniform(3, 1)), torch.float64)
    x = features(block.irreps_in, 5, torch.float64)
    block.linear = Linear(block.tensor_square.irreps_out, block.irreps_out, bias=True).double()
    nn.init.ones_(block.linear.bias)
    with_bias = block(x)
    nn.init.zeros_(block.linear.bias)
    assert (with_bias - block(x))[:, :3].detach() == pytest.approx(1)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch, of its own in jvp
def test_autocast_transforms_and_forward_derivatives_take_the_pure_form():
    block = randomized(Block(uniform(4, 2), uniform(3, 1))).eval()
    x = features(block.irreps_in, 5)
    expected = block(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert (block(x).float() - expected).abs().max() < 0.1
    torch.testing.assert_close(torch.func.vmap(lambda row: block(row[None])[0])(x), expected)
    direction = torch.ones_like(x)
    _, along = torch.func.jvp(block, (x,), (direction,))
    step = 1e-3
    slope = (block(x + step * direction) - block(x - step * direction)) / (2 * step)
    torch.testing.assert_close(along, slope, rtol=0, atol=2e-3)


def test_half_precision_is_not_served():
    block = Block(uniform(4, 2), uniform(3, 1)).bfloat16()
    y = block(features(block.irreps_in, 5, torch.bfloat16))
    assert not is_compiled(y)


def test_copies_files_and_processes():
    block = randomized(Block(uniform(4, 2), uniform(3, 1)))
    x = features(block.irreps_in, 5)
    expected = block.eval()(x)
    ForkingPickler.dumps(block)  # as a process that is started with it would get it
    file = io.BytesIO()
    torch.save(block.state_dict(), file)
    file.seek(0)
    other = Block(uniform(4, 2), uniform(3, 1)).eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    for same in (copy.deepcopy(block), other):
        assert torch.equal(same(x), expected)


def _forked(block, x, queue):
    torch.set_num_threads(2)
    queue.put(block(x).detach().numpy())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    block = randomized(Block(uniform(4, 2), uniform(3, 1))).eval()
    x = features(block.irreps_in, 300)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = block(x).detach()
    finally:
        torch.set_num_threads(before)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_forked, args=(block, x, queue))
    process.start()
    found = torch.from_numpy(queue.get(timeout=300))
    process.join(60)
    assert torch.equal(found, expected)


def test_threads_of_the_caller_do_not_meet():
    block = randomized(Block(uniform(4, 2), uniform(3, 1)), torch.float64).eval()
    inputs = [features(block.irreps_in, 40, torch.float64, seed) for seed in range(8)]
    expected = [outcome(block, x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for found, wanted in zip(pool.map(lambda x: outcome(block, x), inputs), expected, strict=True):
            assert_same(found, wanted, 0)
