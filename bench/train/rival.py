"""The same training by transformers, peft and sentence-transformers: a step whenever a line comes in, and its seconds."""
import json
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss, MultipleNegativesRankingLoss)
from transformers import Qwen3Config, Qwen3Model

job = json.loads(sys.argv[1])
torch.set_num_threads(job["threads"])
torch.manual_seed(1)
shapes = {
    "0.6b": dict(hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16,
                 num_key_value_heads=8, head_dim=128, vocab_size=151_936),
    "mini": dict(hidden_size=256, intermediate_size=768, num_hidden_layers=4, num_attention_heads=4,
                 num_key_value_heads=2, head_dim=64, vocab_size=24_576),
}
torch.set_default_dtype(getattr(torch, job["type"]))
network = Qwen3Model(Qwen3Config(**shapes[job["shape"]], attn_implementation="sdpa", use_cache=False))
torch.set_default_dtype(torch.float32)
targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
network = get_peft_model(network, LoraConfig(r=16, lora_alpha=32, target_modules=targets), autocast_adapter_dtype=False)


class LastToken(torch.nn.Module):
    """Of texts of one length: no padding, so the last row is the text's."""

    def __init__(self):
        super().__init__()
        self.network = network

    def forward(self, features, **_):
        rows = self.network(input_ids=features["input_ids"]).last_hidden_state[:, -1]
        return {"sentence_embedding": torch.nn.functional.normalize(rows.float(), dim=-1)}


model = SentenceTransformer(modules=[LastToken()], device="cpu")
model.train()
if job["cached"]:
    loss = CachedMultipleNegativesRankingLoss(model, scale=1 / 0.03, mini_batch_size=job["pack"] // job["length"])
else:
    loss = MultipleNegativesRankingLoss(model, scale=1 / 0.03)
optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, weight_decay=0.01)


def step():
    vocabulary = shapes[job["shape"]]["vocab_size"]
    ids = torch.randint(0, vocabulary, (4, job["batch"], job["length"]))
    features = [{"input_ids": some} for some in ids]
    value = loss(features, None)
    value.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimiser.step()
    optimiser.zero_grad()
    return value.item()


print("ready", flush=True)
for _ in sys.stdin:
    started, used = time.perf_counter(), time.process_time()
    step()
    print(time.perf_counter() - started, time.process_time() - used, flush=True)
