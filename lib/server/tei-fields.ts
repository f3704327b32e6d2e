// Fields that all of TEI's routes share.
import type { Truncate } from '../index.ts'
import type { Call } from './call.ts'
import type { Fields } from './fields.ts'
import { Refusal } from './refusal.ts'

export function readTruncate(fields: Fields, { settings }: Call): Truncate {
  const direction = fields.choice('truncation_direction', ['Right', 'right', 'Left', 'left'])
  const truncates = fields.boolean('truncate') ?? settings.autoTruncate
  if (truncates && direction?.toLowerCase() === 'left') {
    throw new Refusal('invalid', 'truncation_direction Left is not supported here. Use Right.', {
      param: 'truncation_direction',
    })
  }
  return truncates ? 'end' : 'error'
}
