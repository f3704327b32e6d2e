// docs/server.md lists every field of every body: it is made from the table that requests are checked by.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { routesOf } from '../lib/server/routes.ts'

const file = fileURLToPath(new URL('../docs/server.md', import.meta.url))

function table(): string {
  const rows = routesOf(true)
    .filter(({ method }) => method === 'POST')
    .flatMap(({ paths, operations }) =>
      [...new Set(operations.flatMap(({ body }) => body ?? []))].map((body) => {
        const of = (effect: string) =>
          Object.entries(body.fields).flatMap(([name, field]) =>
            field.effect === effect ? `\`${name}\`${field.required ? '*' : ''}` : [],
          )
        const cells = [
          `\`${paths[0]}\``,
          body.name,
          ...['obeyed', 'harmless', 'refused'].map((one) => of(one).join(' ')),
        ]
        return `| ${cells.join(' | ')} |`
      }),
    )
  return [
    '| Path | Body | Obeyed (* required) | Without effect | Refused |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

/** The formatter aligns columns. */
const plain = (text: string) => text.replace(/ +/g, ' ').replace(/-{3,}/g, '---').trim()

it('docs/server.md lists what is obeyed, left alone and refused', () => {
  const text = readFileSync(file, 'utf8')
  const [before, rest] = text.split(/(?<=<!-- fields:.*-->\n)/) as [string, string]
  const at = rest.indexOf('<!-- /fields -->')
  if (process.env.UPDATE_DOCS) writeFileSync(file, `${before}\n${table()}\n\n${rest.slice(at)}`)
  else expect(plain(rest.slice(0, at))).toBe(plain(table()))
})
