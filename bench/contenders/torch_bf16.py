"""Trials by transformers on torch's CPU back end in bfloat16, as sentence-transformers runs it: python torch_bf16.py THREADS.

Random weights in the 0.6B shape and random tokens, so only the rates say something. Texts of a trial have one length: nothing
is padded. Needs torch and transformers.
"""
import sys
import time

import torch
from transformers import Qwen3Config, Qwen3Model

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(1)
torch.set_default_dtype(torch.bfloat16)
shape = dict(hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16, num_key_value_heads=8,
             head_dim=128, vocab_size=151_936)
network = Qwen3Model(Qwen3Config(**shape, attn_implementation="sdpa", use_cache=False)).eval()


def seconds(count, length, batch):
    ids = torch.randint(0, 150_000, (count, length))
    with torch.inference_mode():
        network(input_ids=ids[:1])
        start = time.perf_counter()
        for i in range(0, count, batch):
            rows = network(input_ids=ids[i:i + batch]).last_hidden_state[:, -1]
            torch.nn.functional.normalize(rows.float(), dim=-1)
        return time.perf_counter() - start


for name, count, length, batches in [("passages", 64, 128, (8, 32)), ("short", 128, 16, (32, 128)),
                                     ("documents", 8, 1024, (1, 4)), ("latency", 20, 12, (1,))]:
    for batch in batches:
        took = seconds(count, length, batch)
        print(f"{name}, by {batch}: {count * length / took:.0f} tokens/s, {took / count * 1000:.1f} ms a text", flush=True)
