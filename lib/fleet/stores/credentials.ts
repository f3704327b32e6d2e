// Whose requests to S3 are: as AWS's own tools read it from the environment, roles by AWS's own package.
import { Qwen3Error } from '../../errors.ts'
import type { Credentials } from './sigv4.ts'

type Provider = () => Promise<Credentials>

let chain: Promise<Provider> | undefined

/**
 * `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; without them what AWS's chain finds: profiles,
 * web identities, roles of containers and machines, renewed before they end.
 *
 * @throws Qwen3Error `ERR_STORE` where there are none
 */
export async function credentials(): Promise<Credentials> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env
  if (AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY) {
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN || undefined,
    }
  }
  chain ??= load()
  return (await chain)().catch((cause: Error) => {
    throw new Qwen3Error(
      'ERR_STORE',
      `No credentials for S3: ${cause.message}`,
      {},
      {
        remedy: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.',
        cause,
      },
    )
  })
}

async function load(): Promise<Provider> {
  const aws = await import('@aws-sdk/credential-provider-node').catch((cause: Error) => {
    throw new Qwen3Error(
      'ERR_STORE',
      'Expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment',
      {},
      {
        remedy:
          'Set them, or for profiles and roles: npm install @aws-sdk/credential-provider-node.',
        cause,
      },
    )
  })
  // It remembers them until shortly before they end.
  return aws.defaultProvider()
}
