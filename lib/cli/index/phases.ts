// One line of progress for each phase of an update.
import type { Progress as Event } from '../../index.ts'
import type { Session } from '../command.ts'
import { Progress } from '../progress.ts'

const labels: Readonly<Record<string, string>> = {
  walk: 'looking',
  read: 'reading',
  embed: 'embedding',
}

export function phases(session: Session) {
  let phase = ''
  let progress: Progress | undefined
  return {
    follow(event: Event): void {
      // A phase that begins anew is another model's, or another folder's.
      if (event.phase !== phase) {
        progress?.end()
        phase = event.phase
        progress = new Progress(labels[phase] ?? phase, session)
      }
      progress!.follow(event)
    },
    end(): void {
      progress?.end()
      phase = ''
    },
  }
}
