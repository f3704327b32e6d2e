#!/usr/bin/env python3
"""Sentence embeddings of a list of texts with a BERT-type encoder (mean pooling, L2), bf16 products on the CPU.

usage: teacher.py MODEL_DIR texts.json OUT.f16 [--max 256] [--threads 1]
MODEL_DIR holds config.json, tokenizer.json and one .safetensors file. OUT.f16 gets `hidden` half floats per text, in
the order of the texts; whole blocks of 16,384 texts are written, so a stopped run goes on where it was.
"""
import argparse, glob, json, math, os, time
import numpy as np, torch, torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
ap = argparse.ArgumentParser(); ap.add_argument("dir"); ap.add_argument("texts"); ap.add_argument("out")
ap.add_argument("--max", type=int, default=256); ap.add_argument("--threads", type=int, default=1)
a = ap.parse_args(); torch.set_num_threads(a.threads); torch.set_grad_enabled(False)
c = json.load(open(a.dir + "/config.json")); w = {k.removeprefix("bert."): v.float() for k, v in load_file(glob.glob(a.dir + "/*.safetensors")[0]).items() if v.is_floating_point()}
H, A, L = c["hidden_size"], c["num_attention_heads"], c["num_hidden_layers"]; eps = c["layer_norm_eps"]
big = {k: v.bfloat16() for k, v in w.items() if v.dim() == 2 and "embeddings" not in k}
tok = Tokenizer.from_file(a.dir + "/tokenizer.json"); tok.no_padding(); tok.enable_truncation(a.max)
lin = lambda x, n: F.linear(x, big[n + ".weight"], w[n + ".bias"].bfloat16())
ln = lambda x, n: F.layer_norm(x, (H,), w[n + ".weight"], w[n + ".bias"], eps)
def encode(ids, n):
    """ids [B,T] right-padded, n [B] real lengths -> [B,H] unit vectors"""
    B, T = ids.shape
    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:T] + w["embeddings.token_type_embeddings.weight"][0]
    x = ln(x, "embeddings.LayerNorm"); keep = torch.arange(T)[None] < n[:, None]
    m = None if bool(keep.all()) else torch.zeros(B, 1, 1, T).masked_fill_(~keep[:, None, None], -1e9).bfloat16()
    for i in range(L):
        p = f"encoder.layer.{i}."; h = x.bfloat16()
        q, k, v = (lin(h, p + "attention.self." + s).view(B, T, A, H // A).transpose(1, 2) for s in ("query", "key", "value"))
        o = F.scaled_dot_product_attention(q, k, v, m).transpose(1, 2).reshape(B, T, H)
        x = ln(x + lin(o, p + "attention.output.dense").float(), p + "attention.output.LayerNorm")
        x = ln(x + lin(F.gelu(lin(x.bfloat16(), p + "intermediate.dense")), p + "output.dense").float(), p + "output.LayerNorm")
    return F.normalize((x * keep[..., None]).sum(1), dim=-1)
texts = json.load(open(a.texts, encoding="utf-8")); BL = 16384
done = os.path.getsize(a.out) // (2 * H) // BL * BL if os.path.exists(a.out) else 0
f = open(a.out, "r+b" if done else "wb"); f.truncate(done * 2 * H); f.seek(done * 2 * H); t0 = time.time(); toks = 0
for b in range(done, len(texts), BL):
    enc = [e.ids for e in tok.encode_batch(texts[b:b + BL])]; o = sorted(range(len(enc)), key=lambda i: len(enc[i])); out = np.zeros((len(enc), H), np.float16); p = 0
    while p < len(o):
        n = 1
        while p + n < len(o) and n < 256 and (n + 1) * len(enc[o[p + n]]) <= 4096: n += 1
        g = o[p:p + n]; p += n; T = len(enc[g[-1]]); ids = torch.zeros(n, T, dtype=torch.long)
        for r, i in enumerate(g): ids[r, :len(enc[i])] = torch.tensor(enc[i])
        out[g] = encode(ids, torch.tensor([len(enc[i]) for i in g])).numpy(); toks += n * T
    f.write(out.tobytes()); f.flush(); print(b + len(enc), len(texts), f"{toks / (time.time() - t0):.0f} tok/s", flush=True)
