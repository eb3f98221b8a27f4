"""The embedding service: a model behind a web address, for many clients at once.

HTTP requests and the settings in `holo_vae.web.settings` enter; embeddings leave, or one clear line. One process
communicates with the clients and holds no model. Other processes read structures (`holo_vae.serving.decoding`), and
others again hold the model, one for each processor (`holo_vae.web.crew`).
"""
