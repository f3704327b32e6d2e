"""Spark over `qwen3-embed serve`: each task talks to the server on its own machine.

    qwen3-embed serve -m qwen3-embedding-0.6b          # on every machine
    spark-submit spark_embed.py texts.jsonl vectors.parquet http://127.0.0.1:8080 MODEL
"""
import base64
import sys

import numpy as np
import requests
from pyspark.sql import SparkSession
from pyspark.sql.functions import col

source, target, server, model = sys.argv[1:5]


def embed(batches):
    session = requests.Session()
    for batch in batches:
        body = {"model": model, "input": batch["text"].tolist(), "encoding_format": "base64"}
        answer = session.post(f"{server}/v1/embeddings", json=body, timeout=600)
        answer.raise_for_status()
        rows = [base64.b64decode(one["embedding"]) for one in answer.json()["data"]]
        batch["vector"] = [np.frombuffer(row, dtype="<f4").tolist() for row in rows]
        yield batch[["id", "text", "vector"]]


spark = SparkSession.builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 256).getOrCreate()
texts = spark.read.json(source).select(col("id").cast("string"), "text")
texts.mapInPandas(embed, "id string, text string, vector array<float>").write.parquet(target)
spark.stop()
