import { Embedder, similarity } from 'qwen3-embed'
import { expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

// A real model of another architecture: all-MiniLM-L6-v2, BERT with mean pooling. Its model card's own example, and
// cosines published for it in the sentence-transformers documentation (quickstart: 0.6660, 0.1046, 0.1411).
it.each(['packed', 'generic'] as const)(
  'all-MiniLM-L6-v2 gives its published similarities through the %s engine',
  async (engine) => {
    await using embedder = await Embedder.load(fixture('minilm'), { engine })
    expect(embedder.info).toMatchObject({
      architecture: 'bert',
      pooling: 'mean',
      engine,
      width: 384,
    })
    const [sunny, outside, stadium] = await embedder.embed([
      'The weather is lovely today.',
      "It's so sunny outside!",
      'He drove to the stadium.',
    ])
    expect(similarity(sunny!, outside!)).toBeCloseTo(0.666, 2)
    expect(similarity(sunny!, stadium!)).toBeCloseTo(0.1046, 2)
    expect(similarity(outside!, stadium!)).toBeCloseTo(0.1411, 2)
  },
)
