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
        [0.4084889377, 0.0817713913, -0.0036119914, 0.0701531244, -0.0492700105],
        [0.0550138077, 0.319108841, 0.0372399129, 0.2322939364, -0.148430555],
        [-0.0838706327, -0.0146367783, 0.7212250842, -0.0018275217, -0.0699243005],
        [0.1840982996, 0.1294462833, 0.073791813, 0.4781317483, 0.0293801455],
        [0.1164831009, 0.0266722726, 0.0260818526, 0.0001526794, 0.3090750646],
      ],
      tolerance: 0.005,
    },
  ],
}
