"""
Learn forces by message passing
===============================

One equivariant layer sends messages along the edges of a graph and returns a vector for each atom. Here it learns the
forces of a repulsion that falls off exponentially. A deeper network, which also conserves energy, is built in
:doc:`/guides/messages`.
"""

import matplotlib.pyplot as plt
import torch

import holo_nn

torch.manual_seed(0)
atoms = torch.cartesian_prod(*[torch.arange(8) * 1.3] * 3) + 0.15 * torch.randn(512, 3)
edges = holo_nn.Edges(*(torch.cdist(atoms, atoms) + 9 * torch.eye(512) < 3).nonzero(as_tuple=True), nodes=512)
along = atoms[edges.receivers] - atoms[edges.senders]
length = along.norm(dim=1, keepdim=True)
forces = torch.zeros(512, 3).index_add(0, edges.receivers, 10 * torch.exp(-2 * length) * along / length)

# %%
# The layer is trained on the forces on the first 400 atoms and predicts those on the other 112.

product = holo_nn.WeightedTensorProduct.channelwise("1x0e", "1x1o", "1x1o")
radial = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.SiLU(), torch.nn.Linear(32, 1))
optimizer = torch.optim.Adam(radial.parameters(), lr=0.01)
for _ in range(300):
    learned = product.along_edges(torch.ones(512, 1), along / length, edges, radial(length))
    optimizer.zero_grad()
    (learned - forces)[:400].square().mean().backward()
    optimizer.step()
plt.figure("Forces on atoms that were not learned from, component by component", figsize=(4.5, 4.5))
plt.axes(xlabel="force of the potential", ylabel="force of the network")
plt.plot(forces[400:].flatten(), learned[400:].detach().flatten(), ".")
