"""Samples from a density fitted to z, for models whose z is not distributed like the prior."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holo_types import HoloError, Holograms
from holo_types.extras import extra
from holo_vae.networks.model import Model

from .sampling import decode_canonical, draw_z

__all__ = ["sample_fitted"]

# Added to the variances of each component, so that z without any variation still has a density.
_LEAST_VARIANCE = 1e-5
_ITERATIONS = 50


def sample_fitted(
    model: Model,
    holograms: Holograms,
    count: int,
    condition: NDArray[Any] | int | str | None = None,
    *,
    components: int = 30,
    seed: int = 0,
) -> Holograms:
    """Draw z from a density fitted to z of holograms, class by class, and decode it in the canonical frame.

    With a small KL weight, z of the data does not follow the prior, and samples from the prior do not look like the
    data. Here a mixture of normal distributions replaces the prior. It is fitted to z of all rows or, for a conditional
    model, to z of the rows of the class.

    Parameters
    ----------
    model
        An H-VAE, for which one z is drawn from the posterior of each row; or an H-AE.
    holograms
        The rows that the density is fitted to, such as the training rows; for a conditional model with the column that
        its condition names.
    count
        The number of samples.
    condition
        For a conditional model, the category of each sample ``[count]``, or one for all.
    components
        The number of normal distributions in each mixture.
    seed
        The seed of the random numbers: the same seed gives the same samples.

    Returns
    -------
    Holograms
        The samples, as `sample_prior` returns them.

    Raises
    ------
    HoloError
        If there are fewer than twice as many rows as components to fit a mixture to, scikit-learn (extra
        ``evaluation``) is missing, or as for `Model.encode` and `Model.decode`.

    Notes
    -----
    P. Ghosh et al., From variational to deterministic autoencoders, ICLR (2020), "ex-post density estimation".

    Examples
    --------
    >>> from holo_types import Basis
    >>> from holo_vae import HolographicAutoencoder, ModelConfig
    >>> basis = Basis(lmax=2, radial=None, channels=("image",))
    >>> config = ModelConfig(basis=basis, latent_dim=4, lmax=(2, 1), channels=(6, 6))
    >>> holograms = Holograms(np.random.default_rng(0).normal(size=(20, 9)), basis)
    >>> len(sample_fitted(Model(HolographicAutoencoder(config), "untrained"), holograms, 3, components=2))
    3
    """
    z = draw_z(model.encode(holograms), seed)
    rng = np.random.default_rng(seed)
    given = model.categories(holograms.index)
    if given is None or condition is None:  # decoding reports a wrong or missing condition
        return decode_canonical(model, _draw(z, count, components, "the rows", rng), condition)
    wanted = np.broadcast_to(np.asarray(condition), (count,))
    drawn = np.empty((count, z.shape[1]), dtype=z.dtype)
    for category in np.unique(wanted):
        chosen = np.flatnonzero(wanted == category)
        name = f"the rows of {category}"
        drawn[chosen] = _draw(z[given == category], len(chosen), components, name, rng)
    return decode_canonical(model, drawn, wanted)


def _draw(z: NDArray[Any], count: int, components: int, name: str, rng: np.random.Generator) -> NDArray[Any]:
    if len(z) < 2 * components:
        raise HoloError(
            f"{name} are {len(z)}; a mixture of {components} components needs at least {2 * components}"
        )
    with extra("holo-vae[evaluation]"):
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
        from sklearn.mixture import GaussianMixture  # noqa: PLC0415
    mixture = GaussianMixture(
        components, reg_covar=_LEAST_VARIANCE, max_iter=_ITERATIONS, random_state=int(rng.integers(2**31))
    )
    with warnings.catch_warnings():
        # In the last iterations, the likelihood grows by less than samples can show.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(z.astype(np.float64))
    # Rows come ordered by component; they are permuted, so that any slice of the samples represents the whole.
    return rng.permutation(mixture.sample(count)[0]).astype(z.dtype)
