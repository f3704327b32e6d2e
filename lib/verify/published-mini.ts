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
        [0.5341938667, -0.0027917101, -0.0463594048, 0.0441479195, 0.0043151511],
        [0.101813081, 0.348973354, -0.042178426, 0.1725807819, -0.0268690396],
        [-0.0194796543, -0.0221461936, 0.6487619449, 0.0109010256, -0.0493864383],
        [0.130905883, 0.0207245321, -0.0225483476, 0.5108475887, -0.0294516642],
        [-0.010920584, 0.0659253025, 0.0674579106, 0.0101723898, 0.2159064324],
      ],
      tolerance: 0.005,
    },
  ],
}
