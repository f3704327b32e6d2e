// Fields that all of TEI's routes share.
import type { Truncate } from '../../index.ts'
import type { Context } from '../context.ts'
import { RequestError } from '../request-error.ts'
import { boolean, choice, optional } from '../schema.ts'

export const teiFields = {
  truncate: optional(boolean, 'Cut texts that are too long.'),
  truncation_direction: optional(choice('Right', 'right', 'Left', 'left'), 'Left is refused.'),
}

interface Asked {
  truncate?: boolean | undefined
  truncation_direction?: string | undefined
}

export function truncateOf(
  { truncate, truncation_direction: direction }: Asked,
  { settings }: Context,
): Truncate {
  const truncates = truncate ?? settings.autoTruncate
  if (truncates && direction?.toLowerCase() === 'left') {
    throw new RequestError(
      'invalid',
      'truncation_direction Left is not supported here. Use Right.',
      {
        param: 'truncation_direction',
      },
    )
  }
  return truncates ? 'end' : 'error'
}
