"""What changed between two structures of a protein, judged by z of the surroundings of its residues.

Two structures enter; a table of residues, a plot and a colored structure leave. Embeddings are those of holo-vae.
"""
