"""Ray Data over `qwen3-embed serve`: each actor talks to the server on its own machine.

    qwen3-embed serve -m qwen3-embedding-0.6b          # on every machine
    python ray_embed.py texts.jsonl vectors.parquet http://127.0.0.1:8080 MODEL
"""
import base64
import sys

import numpy as np
import ray
import requests

source, target, server, model = sys.argv[1:5]


class Embed:
    def __init__(self):
        self.session = requests.Session()

    def __call__(self, batch):
        body = {"model": model, "input": list(batch["text"]), "encoding_format": "base64"}
        answer = self.session.post(f"{server}/v1/embeddings", json=body, timeout=600)
        answer.raise_for_status()
        rows = [base64.b64decode(one["embedding"]) for one in answer.json()["data"]]
        batch["vector"] = np.stack([np.frombuffer(row, dtype="<f4") for row in rows])
        return batch


texts = ray.data.read_json(source, lines=True)
texts.map_batches(Embed, batch_size=256, concurrency=1).write_parquet(target)
