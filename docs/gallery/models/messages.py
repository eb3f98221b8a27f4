"""
Learn forces by message passing
===============================

One equivariant layer sends messages along the edges of a graph and returns a vector for each atom. Here it learns the
forces of a Morse potential in clusters of eight atoms. A deeper network, which also conserves energy, is built in
:doc:`/guides/messages`.
"""

import matplotlib.pyplot as plt
import torch

import holo_nn

torch.manual_seed(0)
atoms = torch.cartesian_prod(*[torch.tensor([0.0, 1.3])] * 3) + 0.15 * torch.randn(60, 8, 3)
cluster, receiver, sender = (torch.cdist(atoms, atoms) + 9 * torch.eye(8) < 3).nonzero(as_tuple=True)
edges = holo_nn.Edges(8 * cluster + sender, 8 * cluster + receiver, nodes=480)
along = atoms.flatten(0, 1)[edges.receivers] - atoms.flatten(0, 1)[edges.senders]
length = along.norm(dim=1, keepdim=True)
pairs = 4 * (torch.exp(-4 * (length - 1.2)) - torch.exp(-2 * (length - 1.2))) * along / length
forces = torch.zeros(480, 3).index_add(0, edges.receivers, pairs)

# %%
# The layer is trained on the forces in the first 40 clusters and predicts those in the other 20.

product = holo_nn.WeightedTensorProduct.channelwise("8x0e", "1x1o", "8x1o")
radial = torch.nn.Sequential(
    torch.nn.Linear(8, 32), torch.nn.SiLU(), torch.nn.Linear(32, product.weight_numel)
)
read = holo_nn.Linear(product.irreps_out, "1x1o")
optimizer = torch.optim.Adam([*radial.parameters(), *read.parameters()], lr=0.01)
for _ in range(300):
    weights = radial(holo_nn.bessel_basis(length[:, 0], 3.0, count=8))
    learned = read(product.along_edges(torch.ones(480, 8), along / length, edges, weights))
    loss = (learned - forces)[:320].square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
plt.figure("Forces on the atoms of unseen clusters, component by component", figsize=(4.5, 4.5))
plt.plot(forces[320:].flatten(), learned[320:].detach().flatten(), ".")
plt.xlabel("force of the potential")
plt.ylabel("force of the network")
