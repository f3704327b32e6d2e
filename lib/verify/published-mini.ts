// The bundled model, from a forward pass in double precision over the bundled file (test/fixtures/reference.ts).
import type { Goldens } from './goldens.ts'

const instruction = 'Given a web search query, retrieve relevant passages that answer the query'
const queries = [
  'how do I get my money back',
  'what to do when my head hurts',
  'German capital',
  'why was my journey by plane called off',
  'how does photosynthesis work',
]
const documents = [
  'You can return the product within thirty days for a refund.',
  'Aspirin relieves headaches and lowers fever.',
  'Berlin is the capital of Germany.',
  'Our flight was cancelled because of the storm.',
  'Plants use sunlight to make sugar from carbon dioxide.',
]

export const mini: Goldens = {
  model: 'mini',
  kind: 'embed',
  checks: [
    {
      check: 'tokens',
      source: "Qwen's tokenizer with the first 24,064 merges",
      inputs: [documents[0]!, documents[2]!],
      expected: [
        [2610, 646, 470, 279, 1985, 2878, 270, 16531, 2849, 369, 264, 20965, 13, 24320],
        [33, 261, 3732, 374, 279, 6722, 315, 9856, 13, 24320],
      ],
    },
    {
      check: 'tokens',
      source: 'the same, with the default instruction',
      instruction,
      inputs: [queries[0]!],
      expected: [
        [
          641, 1235, 25, 16246, 264, 3482, 2711, 3239, 11, 17179, 9760, 1494, 1134, 429, 4226, 279,
          3239, 198, 2859, 25, 5158, 653, 358, 633, 847, 3220, 1182, 24320,
        ],
      ],
    },
    {
      check: 'similarity',
      source: 'float64 over the Q8_0 file',
      instruction,
      queries,
      documents,
      expected: [
        [0.3548798272, 0.1126831211, 0.0018025053, 0.1013895461, -0.0065783402],
        [0.0637589336, 0.3358273509, 0.0047766273, 0.2303908917, -0.0807430314],
        [-0.0522958754, -0.0067028224, 0.7059374685, 0.0163227164, -0.0073161763],
        [0.2062695215, 0.1079625248, 0.0805518035, 0.4525425606, 0.088916655],
        [0.1237654479, 0.0308457957, 0.0108121306, 0.0404083833, 0.3483724639],
      ],
      tolerance: 0.005,
    },
  ],
}
