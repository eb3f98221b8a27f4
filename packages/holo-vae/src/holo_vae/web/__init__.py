"""The embedding service: a model behind a web address, for many clients at once.

HTTP requests enter, and the settings that `holo_vae.web.settings` lists; embeddings leave, or one clear line. One
process speaks with the clients and holds no model. Others read structures (`holo_vae.serving.decoding`), and others
again hold the model, one for each processor (`holo_vae.web.crew`).
"""
