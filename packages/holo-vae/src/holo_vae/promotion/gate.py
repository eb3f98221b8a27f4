"""The promotion gate: the measurements of a candidate and a champion, and the conditions on them.

A candidate cannot bring its own test data. It is measured on the rows that were recorded with the champion, or on data
that a lab has set aside, and on no rows that either of the two was trained on:

- both record what they were trained on, and none of the measured rows belong to that;
- the basis is the champion's, unless another is allowed, since clients of the alias send holograms in that basis;
- z, frame and reconstruction are equivariant up to rounding;
- on the same basis, the reconstruction is no worse. Both reconstruct the same rows; with 95 % confidence (one-sided,
  paired bootstrap over rows) the candidate's mean cosine loss is at most 1.02 times the champion's, and so is its
  squared error, which depends on the scale. A first version must reconstruct better than the mean hologram;
- each requested row of `worth` is no worse than its 95 % interval allows.
"""

from collections.abc import Sequence
from pathlib import Path

import attrs

import holo_types
from holo_types import HoloError, Holograms
from holo_types.extras import extra
from holo_vae.tracking.run import RECORDED

from .checks import (
    Check,
    Contender,
    basis_check,
    equivariance_checks,
    reconstruction_checks,
    unseen_check,
)

__all__ = ["Verdict", "judge"]

_EQUIVARIANCE_ROWS = 500


@attrs.frozen
class Verdict:
    """The verdict of the gate.

    Parameters
    ----------
    checks
        The checks that were made.
    rows
        The number of rows that were measured.
    data
        The origin of the rows: the path of the lab's data, or the model whose recorded rows they are.
    left_out
        The parts of the data that could not be used, with the reasons.
    """

    checks: tuple[Check, ...]
    rows: int
    data: str
    left_out: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that do not hold."""
        return tuple(check for check in self.checks if not check.held)


def judge(
    candidate: Contender,
    champion: Contender | None,
    *,
    data: Path | None = None,
    rows: Sequence[str] = (),
    new_basis: bool = False,
) -> Verdict:
    """Measure a candidate and compare it with the champion.

    Parameters
    ----------
    candidate, champion
        The two models; there is no champion for a first version.
    data
        Data that a lab has set aside to measure models on, see `read_gate_residues`; by default the champion's recorded
        rows.
    rows
        The rows of `worth` to compare, or groups of them from `GROUPS`; by default the reconstruction on the same
        basis, and noise and probes across bases. All but the reconstruction need `data`.
    new_basis
        Whether the candidate may have another basis than the champion; needs `data`.

    Raises
    ------
    HoloError
        If there is nothing to measure on, or a requested row cannot be measured.
    """
    given = "none" if data is None else str(data)
    both = [candidate] if champion is None else [candidate, champion]
    if silent := [each for each in both if each.trained is None]:
        unknown = Check(
            "training_record",
            f"none with {' and '.join(each.uri for each in silent)}",
            "with every model, so that nothing it was trained on measures it; log the model again with this holo-vae",
            held=False,
        )
        return Verdict((unknown,), 0, given)
    recorded, whose = _recorded(both) if data is None else (None, given)
    basis = basis_check(candidate, champion, recorded, data=data, new_basis=new_basis)
    if not basis.held:
        return Verdict((basis,), 0, whose)  # the model cannot use rows of another basis
    across = champion is not None and champion.model.config.basis != candidate.model.config.basis
    asked = tuple(rows) or (("noise", "probes") if across else ("reconstruction",))
    if recorded is not None:
        if asked != ("reconstruction",):
            raise HoloError(
                f"--gate-rows is {', '.join(asked)}; recorded rows show only the reconstruction, use --gate-data"
            )
        return _on_rows(candidate, champion, recorded, basis, whose)
    assert data is not None
    return _on_data(candidate, champion, data, asked, basis)


def _recorded(contenders: Sequence[Contender]) -> tuple[Holograms, str]:
    """Return the champion's recorded rows, or the candidate's own if no champion has any."""
    for each in reversed(contenders):
        path = each.registered.root / RECORDED
        if path.is_file():
            return holo_types.load(path, kind=Holograms), f"recorded with {each.uri}"
    raise HoloError(
        f"{contenders[0].uri}: no validation rows were recorded with it, and there is nothing to measure it on; "
        "give --gate-data"
    )


def _on_rows(
    candidate: Contender, champion: Contender | None, rows: Holograms, basis: Check, whose: str
) -> Verdict:
    both = [candidate] if champion is None else [candidate, champion]
    unseen = unseen_check(both, [rows.index], [rows] * len(both))
    if not unseen.held:
        return Verdict((basis, unseen), len(rows), whose)
    checks = (
        basis,
        unseen,
        *equivariance_checks(candidate.model, rows),
        *reconstruction_checks(candidate, champion, rows),
    )
    return Verdict(checks, len(rows), whose)


def _on_data(
    candidate: Contender, champion: Contender | None, data: Path, asked: tuple[str, ...], basis: Check
) -> Verdict:
    with extra("holo-vae[structures]"):
        import holo_features  # noqa: F401, PLC0415
    with extra("holo-vae[evaluation]"):
        import holo_downstream  # noqa: F401, PLC0415
    from .residues import Comparison, compare, indices  # noqa: PLC0415 - needs both

    both = [candidate] if champion is None else [candidate, champion]
    comparison = Comparison.of(data, [each.model for each in both])
    unseen = unseen_check(both, indices(comparison, asked), comparison.holograms)
    holograms = comparison.holograms[0]
    if not unseen.held:
        return Verdict((basis, unseen), len(holograms), str(data))
    checks = [basis, unseen, *equivariance_checks(candidate.model, holograms[:_EQUIVARIANCE_ROWS])]
    left_out = list(comparison.residues[0].left_out)
    same = champion is None or champion.model.config.basis == candidate.model.config.basis
    others = asked
    if same and (champion is None or "reconstruction" in asked):
        checks += reconstruction_checks(candidate, champion, holograms)
        others = tuple(name for name in asked if name != "reconstruction")
    if champion is not None and others:
        for one in compare(comparison, others, left_out):
            checks.append(
                Check(
                    f"{one.row}{', ' if one.scaling else ''}{one.scaling}",
                    f"{one.candidate:.4f} beside {one.champion:.4f}, worse by {one.worse.estimate:.4f} "
                    f"[{one.worse.lower:.4f}, {one.worse.upper:.4f}]",
                    "no worse than its 95 % interval allows",
                    one.held,
                )
            )
    return Verdict(tuple(checks), len(holograms), str(data), tuple(left_out))
