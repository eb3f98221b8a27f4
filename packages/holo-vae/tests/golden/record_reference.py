"""Record golden/reference/bottleneck and golden/reference/bare with the authors' implementation.

``python packages/holo-vae/tests/golden/record_reference.py DIR`` with DIR a checkout of github
gvisani/Holographic-VAE, commit 728b67c. Their network gets random weights and, in training, statistics of its
own; then inputs and outputs in evaluation mode are recorded, float32. The other folders of golden/reference
were recorded in the same way.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from e3nn.o3 import Irreps, wigner_3j

FOLDER = Path(__file__).parent / "reference"
COMMON = {
    "use_additive_skip_connections": True,
    "use_batch_norm": True,
    "norm_type": "signal",
    "norm_location": "between",
    "normalization": "component",
    "norm_affine": "per_l",
    "linearity_first": False,
    "learn_frame": True,
    "norm_nonlinearity": None,
    "norm_balanced": False,
    "bottleneck_hidden_dims": None,
    "weights_initializer": None,
    "filter_symmetric": True,
    "x_rec_loss_fn": "mse",
    "do_final_signal_norm": False,
    "ch_nonlin_rule_list": ["elementwise"] * 3,
    "do_initial_linear_projection": False,
    "ch_initial_linear_projection": 0,
    "lmax_list": [3, 2, 1],
    "net_lmax": 3,
    "latent_dim": 5,
    "input_normalizing_constant": 1.0,
}
# Whatever no other folder has: hidden layers and a rule per block; and neither norms nor skips.
CASES: dict[str, dict[str, Any]] = {
    "bottleneck": {
        "ch_size_list": [5, 6, 8],
        "ls_nonlin_rule_list": ["full", "efficient", "full"],
        "bottleneck_hidden_dims": [9, 7],
        "is_vae": True,
    },
    "bare": {
        "ch_size_list": [4, 4, 6],
        "ls_nonlin_rule_list": ["efficient"] * 3,
        "use_additive_skip_connections": False,
        "use_batch_norm": False,
        "norm_type": None,
        "is_vae": False,
    },
}
LMAX, ROWS = 3, 12


def main(checkout: str) -> None:
    """Record every case."""
    sys.path.insert(0, checkout)
    from holographic_vae.models import H_VAE
    from holographic_vae.so3.functional import make_vec

    irreps = Irreps.spherical_harmonics(LMAX, 1)
    degrees = range(LMAX + 1)
    coefficients = {
        (l1, l2, l3): wigner_3j(l1, l2, l3)
        for l1 in degrees
        for l2 in degrees
        for l3 in degrees
        if abs(l1 - l2) <= l3 <= l1 + l2
    }

    def parts(x: torch.Tensor) -> dict[int, torch.Tensor]:
        return {
            term.ir.l: x[:, where].clone()[:, None]
            for term, where in zip(irreps, irreps.slices(), strict=True)
        }

    for name, changes in CASES.items():
        torch.manual_seed(2024)
        settings = {**COMMON, **changes}
        network = H_VAE(irreps, coefficients, settings, "cpu")
        with torch.no_grad():
            for _ in range(5):
                network(parts(x := torch.randn(64, irreps.dim)), x)
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
            network.eval()
            holograms = torch.randn(ROWS, irreps.dim)
            (mean, log_variance), frame = network.encode(parts(holograms))
            reconstruction = make_vec(network.decode(mean, frame))
        folder = FOLDER / name
        folder.mkdir(exist_ok=True)
        hparams = {
            "lmax": LMAX,
            "rmax": None,
            "rcut": None,
            "channels": ["image"],
            "rst_normalization": None,
            "normalize_input": False,
            "seed": 2024,
            "model_hparams": settings,
        }
        (folder / "hparams.json").write_text(json.dumps(hparams, indent=1) + "\n")
        torch.save(network.state_dict(), folder / "lowest_total_loss_with_final_kl_model.pt")
        np.savez(folder / "inputs.npz", holograms=holograms.numpy())
        np.savez(
            folder / "outputs.npz",
            mean=mean.numpy(),
            log_variance=log_variance.numpy(),
            frame=frame.numpy(),
            reconstruction=reconstruction.numpy(),
        )


if __name__ == "__main__":
    main(sys.argv[1])
