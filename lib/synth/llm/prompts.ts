// What a language model is asked. The structure is the Qwen3 Embedding paper's (a configuration, then a query); the
// words are ours. Whoever changes a word raises `promptsVersion`: it stands with every row that is made.

export const promptsVersion = 1

/** What a reader wants to know, and how it is said to the model. */
export const questionTypes = {
  keywords: 'a few search terms, not a sentence',
  acquire_knowledge: 'a question whose answer is a fact that stands in the passage',
  summary: 'a question that asks for what the passage says as a whole',
  yes_or_no: 'a question that the passage answers with yes or no',
  background:
    'a question about what one must know beforehand to follow a subject, which the passage supplies',
} as const
export type QuestionType = keyof typeof questionTypes

export const difficulties = {
  high_school: 'the words and the precision of a pupil',
  university: 'the words and the precision of a student of the subject',
  phd: 'the words and the precision of a specialist',
} as const
export type Difficulty = keyof typeof difficulties

export interface Configuration {
  character: string
  question_type: QuestionType
  difficulty: Difficulty
}

export interface Message {
  role: 'system' | 'user'
  content: string
}

export type Field =
  | { type: 'string'; enum: string[] }
  | { type: 'string'; minLength: number; maxLength: number }

/** The JSON schema of an object of strings. */
export interface Schema {
  type: 'object'
  properties: Readonly<Record<string, Field>>
  required: string[]
  additionalProperties: false
}

/** A call: what is said, and the form of the answer. */
export interface Call {
  messages: Message[]
  name: 'configuration' | 'query'
  schema: Schema
}

const described = (list: Readonly<Record<string, string>>) =>
  Object.entries(list)
    .map(([name, what]) => `- ${name}: ${what}`)
    .join('\n')

export function configurationCall(passage: string, characters: readonly string[]): Call {
  return {
    name: 'configuration',
    messages: [
      {
        role: 'system',
        content:
          'You decide who might search for a passage, and how. Choose the character that is most likely to need it, ' +
          'the question type that suits both, and the difficulty of the words. Answer with JSON alone.\n\n' +
          `Question types:\n${described(questionTypes)}\n\nDifficulties:\n${described(difficulties)}\n\n` +
          'Examples:\n' +
          '{"character": "a nurse on a night shift", "question_type": "keywords", "difficulty": "university"}\n' +
          '{"character": "a father who repairs bicycles", "question_type": "acquire_knowledge", "difficulty": "high_school"}\n' +
          '{"character": "a researcher who checks a source", "question_type": "yes_or_no", "difficulty": "phd"}',
      },
      {
        role: 'user',
        content: `Passage:\n${passage}\n\nCharacters:\n${characters.map((one) => `- ${one}`).join('\n')}`,
      },
    ],
    schema: object({
      character: { type: 'string', enum: [...characters] },
      question_type: { type: 'string', enum: Object.keys(questionTypes) },
      difficulty: { type: 'string', enum: Object.keys(difficulties) },
    }),
  }
}

export interface QueryTask extends Configuration {
  words: number
  /** A name in English, or undefined for the passage's own. */
  language: string | undefined
}

export function queryCall(passage: string, task: QueryTask): Call {
  const { character, question_type, difficulty, words, language } = task
  return {
    name: 'query',
    messages: [
      {
        role: 'system',
        content:
          'You write what a person types into a search box to find a passage that they do not know yet. Never copy a ' +
          'sentence of the passage, and never speak of "the passage" or "the text". Answer with JSON alone.\n\n' +
          'Example:\n{"query": "how long does fresh yeast keep in a fridge"}',
      },
      {
        role: 'user',
        content:
          `Passage:\n${passage}\n\nThe person: ${character}\nWhat they type: ${questionTypes[question_type]}\n` +
          `Difficulty: ${difficulties[difficulty]}\nLength: about ${words} words\n` +
          `Language: ${language ?? "the passage's own"}`,
      },
    ],
    schema: object({ query: { type: 'string', minLength: 2, maxLength: 300 } }),
  }
}

function object(properties: Record<string, Field>): Schema {
  return {
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  }
}
