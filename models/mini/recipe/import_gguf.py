#!/usr/bin/env python3
"""A GGUF of this architecture back to a checkpoint that train.py --init reads.  usage: import_gguf.py MODEL.gguf OUT.pt"""
import sys
import numpy as np, torch
from gguf import GGUFReader
from gguf.quants import dequantize
NAMES = {"attn_norm": "attn_norm", "ffn_norm": "ffn_norm", "attn_q_norm": "q_norm", "attn_k_norm": "k_norm", "attn_q": "q", "attn_k": "k", "attn_v": "v",
         "attn_output": "o", "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down"}
r = GGUFReader(sys.argv[1]); sd = {}
for t in r.tensors:
    w = torch.from_numpy(np.array(dequantize(t.data, t.tensor_type), np.float32)); p = t.name.split(".")
    if p[0] == "token_embd": sd["emb"] = w
    elif p[0] == "output_norm": sd["norm"] = w
    else: sd[f"layers.{p[1]}.{NAMES[p[2]]}"] = w
layers = 1 + max(int(k.split(".")[1]) for k in sd if k.startswith("layers"))
cfg = dict(vocab=sd["emb"].shape[0], layers=layers, hidden=sd["emb"].shape[1], heads=sd["layers.0.q"].shape[0] // 64, kv=sd["layers.0.k"].shape[0] // 64, hd=64, ffn=sd["layers.0.up"].shape[0], eps=1e-6, theta=1e6)
torch.save({"model": sd, "cfg": cfg}, sys.argv[2]); print(cfg)
