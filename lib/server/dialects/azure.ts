// Azure's paths: the deployment names the model, and the key comes as `api-key`.
import { embeddingList } from '../answers.ts'
import { post, type Route } from '../context.ts'
import { embeddingBody, embeddings } from './openai.ts'

export const azureRoutes: readonly Route[] = [
  post(
    {
      paths: ['/openai/deployments/{id}/embeddings'],
      id: 'createDeploymentEmbeddings',
      dialect: 'openai',
      summary: 'Texts to vectors, as Azure does it; the deployment is the name of a model',
      answer: embeddingList,
    },
    embeddingBody,
    (context, values) => embeddings(context, values, context.param),
  ),
]
