"""Several processes that train one network together, as started by ``torchrun``: one per GPU, or on CPUs.

Each process has the whole network and a part of every batch. The processes exchange the statistics of batch norms
(`holo_nn.synchronize_batch_norms`), the gradients, and sums of the measured quantities. All of them then take the same
step, bit for bit, which is the step that one process would take with the whole batch.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import attrs
import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from holo_nn import synchronize_batch_norms
from holo_types import HoloError

__all__ = ["ALONE", "Processes"]

TIMEOUT = timedelta(minutes=10)


@attrs.frozen
class Processes:
    """The processes that train together, as seen from one of them.

    Parameters
    ----------
    rank
        The number of this process, from 0.
    count
        The number of processes; it is usually 1, and then the methods below cost nothing.
    device
        The device of this process.

    Examples
    --------
    >>> with ALONE.joined():
    ...     ALONE.first, ALONE.part(100), ALONE.sum(torch.ones(2))
    (True, slice(0, 100, None), tensor([1., 1.]))
    >>> [Processes(rank, 3).part(100) for rank in range(3)]
    [slice(0, 34, None), slice(34, 67, None), slice(67, 100, None)]
    """

    rank: int = 0
    count: int = 1
    device: torch.device = attrs.field(default=torch.device("cpu"), converter=torch.device)

    @classmethod
    def from_environment(cls, device: torch.device | str = "cpu") -> "Processes":
        """Read the variables that ``torchrun`` sets for the processes it starts; without them there is one process.

        Parameters
        ----------
        device
            ``cpu`` or ``cuda``; with ``cuda``, each process on a machine gets its own GPU.

        Raises
        ------
        HoloError
            If only some of torchrun's variables are set, or there are fewer GPUs than processes.
        """
        device = torch.device(device)
        if "WORLD_SIZE" not in os.environ:
            return cls(device=device)
        rank, count, local = (_whole_number(name) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        if not 0 <= rank < count:
            raise HoloError(f"the environment's RANK is {rank}; it must be below WORLD_SIZE, {count}")
        if device.type == "cuda" and count > 1:
            if local >= torch.cuda.device_count():
                raise HoloError(
                    f"process {local} of this machine has no GPU: there are {torch.cuda.device_count()}; start as "
                    "many processes (--nproc-per-node)"
                )
            device = torch.device("cuda", local)
        return cls(rank, count, device)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and prints messages."""
        return self.rank == 0

    @contextmanager
    def joined(self, timeout: timedelta = TIMEOUT) -> Iterator[None]:
        """Connect the processes for the duration of the context.

        Parameters
        ----------
        timeout
            How long a process waits for another before it gives up.

        Raises
        ------
        HoloError
            If another process ends early, or does not respond within the timeout.
        """
        if self.count == 1:
            yield
            return
        cuda = self.device.type == "cuda"
        try:
            if cuda:
                torch.cuda.set_device(self.device)
            dist.init_process_group(
                "nccl" if cuda else "gloo",
                rank=self.rank,
                world_size=self.count,
                timeout=timeout,
                device_id=self.device if cuda else None,
            )
            yield
        except RuntimeError as error:
            if not _is_of_a_connection(error):
                raise
            raise HoloError(
                f"process {self.rank} of {self.count} lost another, which ended or did not respond for "
                f"{timeout.total_seconds():g} s; the output of that process says what went wrong"
            ) from error
        finally:
            if dist.is_initialized():
                dist.destroy_process_group()

    @contextmanager
    def sharing(self, *networks: nn.Module) -> Iterator[None]:
        """Start all processes with the weights of the first, and let batch norms use whole batches.

        Parameters
        ----------
        *networks
            The network that is trained, with `sum_gradients` after each backward in the context, and networks that
            follow it, such as an average.
        """
        if self.count == 1:
            yield
            return
        for network in networks:
            for tensor in network.state_dict().values():
                dist.broadcast(tensor, 0)
            synchronize_batch_norms(network)
        try:
            yield
        finally:
            for network in networks:
                synchronize_batch_norms(network, False)

    def part(self, samples: int) -> slice:
        """Return which samples of a batch belong to this process, divided as by `torch.tensor_split`.

        Raises
        ------
        HoloError
            If there are fewer samples than processes.
        """
        if samples < self.count:
            raise HoloError(
                f"a batch of {samples} is too small for {self.count} processes; each must have at least one sample"
            )
        size, longer = divmod(samples, self.count)
        begin, end = (rank * size + min(rank, longer) for rank in (self.rank, self.rank + 1))
        return slice(begin, end)

    def sum_gradients(self, gradient: Float[Tensor, " weights"]) -> None:
        """Replace the gradient of all parameters by its sum over all processes.

        The loss of each process must therefore be its share of the loss of the whole batch: the sum over its own
        samples, divided by the number of samples of all processes.

        Notes
        -----
        All parameters are summed at once in a fixed order after the backward pass. `DistributedDataParallel` begins its
        sums while the backward pass still runs, but divides the parameters differently in the first step after a start
        than later: with more than two processes, a resumed run then rounds differently. The gradients of these
        networks, below 25 MB, are not worth that.
        """
        if self.count > 1:
            dist.all_reduce(gradient)

    def sum(self, tensor: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes, with identical bits in each."""
        if self.count == 1:
            return tensor
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    def wait(self) -> None:
        """Wait until all processes have reached this point."""
        if self.count > 1:
            self.sum(torch.zeros(1, device=self.device)).item()

    def check_same(self, value: object, name: str) -> None:
        """Check that a value is the same in all processes, such as the step at which a run resumes.

        Parameters
        ----------
        value
            The value, compared by its text.
        name
            The name of the value in the error.

        Raises
        ------
        HoloError
            In all processes, if the value differs between any two.
        """
        if self.count == 1:
            return
        number = int.from_bytes(hashlib.sha256(str(value).encode()).digest()[:7])
        extremes = torch.tensor([number, -number], device=self.device)
        dist.all_reduce(extremes, dist.ReduceOp.MAX)
        if extremes[0] != -extremes[1]:
            raise HoloError(
                f"{name} differs between the {self.count} processes (it is {value} in process {self.rank}); "
                "all must be started alike and see the same files"
            )


ALONE = Processes()


def _whole_number(variable: str) -> int:
    text = os.environ.get(variable)
    if text is None or not text.isdecimal():
        raise HoloError(
            f"the environment's {variable} is {text!r}; it must be an integer if WORLD_SIZE is set, as torchrun "
            "sets it"
        )
    return int(text)


def _is_of_a_connection(error: RuntimeError) -> bool:
    # NCCL's errors and those at the start have their own types; gloo's can be recognized only by the file they name.
    return isinstance(error, dist.DistError) or "gloo" in str(error)
