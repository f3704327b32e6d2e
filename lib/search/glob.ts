// Globs as people write them: * within a name, ** across folders, ? one letter, {a,b}, [a-z].

/** Matches paths with slashes; a pattern without one matches names at any depth, a folder's name all that is in it. */
export function globOf(pattern: string): (path: string) => boolean {
  const plain = pattern.replace(/^\.?\//, '').replace(/\/$/, '')
  const anywhere = !plain.includes('/') && !pattern.startsWith('/')
  const source = `${anywhere ? '(?:.*/)?' : ''}${sourceOf(plain)}(?:/.*)?`
  let expression: RegExp
  try {
    expression = new RegExp(`^${source}$`, 'su')
  } catch {
    throw new RangeError(
      `Expected a glob such as notes/**/*.md but received ${JSON.stringify(pattern)}`,
    )
  }
  return (path) => expression.test(path)
}

/** Any of them; everything where there are none. */
export function anyGlob(
  patterns: readonly string[] | undefined,
): ((path: string) => boolean) | undefined {
  if (!patterns || patterns.length === 0) return undefined
  const globs = patterns.map(globOf)
  return (path) => globs.some((glob) => glob(path))
}

function sourceOf(pattern: string): string {
  let depth = 0
  return pattern.replace(/\*\*\/|\*\*|\*|\?|\{|\}|,|\[[!^]?[^\]/]+\]|[\\^$+.()|[\]/]/gu, (part) => {
    if (part === '**/') return '(?:.*/)?'
    if (part === '**') return '.*'
    if (part === '*') return '[^/]*'
    if (part === '?') return '[^/]'
    if (part === '{') return depth++ < 0 ? '' : '(?:'
    if (part === '}') return depth-- > 0 ? ')' : '\\}'
    if (part === ',') return depth > 0 ? '|' : ','
    if (part.length > 1) return part.replace(/^\[!/, '[^').replaceAll('\\', '\\\\')
    return `\\${part}`
  })
}
