// What kind of file it is, by its name; and who reads it.
import { decode } from './decode.ts'
import { type Document, Unreadable } from './document.ts'

type Parser = (bytes: Uint8Array, path: string) => Document | Promise<Document>

const endings: readonly (readonly [RegExp, () => Promise<Parser>])[] = [
  [/\.(?:md|mdx|markdown|mkd|qmd|rmd)$/i, async () => markdown],
  [/\.(?:x?html?|xht)$/i, async () => (await import('./kinds/html.ts')).html],
  [/\.pdf$/i, async () => (await import('./kinds/pdf.ts')).pdf],
  [
    /\.(?:docx|docm|odt|pptx|xlsx|ods|odp|epub)$/i,
    async () => (await import('./kinds/office.ts')).office,
  ],
  [/\.(?:eml|mbox)$/i, async () => (await import('./kinds/mail.ts')).mail],
  [/\.(?:csv|tsv|jsonl|ndjson)$/i, async () => (await import('./kinds/tables.ts')).table],
  [
    /\.(?:json|json5|jsonc|geojson|ya?ml|toml|ini|cfg|conf|xml|plist)$/i,
    async () => (await import('./kinds/tables.ts')).data,
  ],
  [/\.ipynb$/i, async () => (await import('./kinds/tables.ts')).notebook],
  [
    /\.(?:[cm]?[jt]sx?|vue|svelte|py|pyi|rb|php|java|kt|kts|scala|groovy|go|rs|c|cc|cpp|cxx|h|hh|hpp|hxx|m|mm|cs|fs|swift|dart|lua|pl|pm|r|jl|ex|exs|erl|hs|ml|mli|clj|cljs|lisp|el|scm|zig|nim|v|sol|sql|sh|bash|zsh|fish|ps1|bat|cmake|gradle|proto|graphql|css|scss|sass|less|tf|hcl|asm|s|cu|glsl|vhdl)$|(?:^|\/)(?:Makefile|Dockerfile|CMakeLists\.txt|Rakefile|Gemfile|Jenkinsfile)$/i,
    async () => code,
  ],
  // Known to hold no text, whatever their bytes look like.
  [
    /\.(?:png|jpe?g|gif|webp|bmp|ico|tiff?|heic|svgz|mp[34]|m4a|wav|ogg|flac|avi|mov|mkv|webm|zip|gz|tgz|bz2|xz|zst|7z|rar|tar|jar|war|exe|dll|so|dylib|o|a|node|wasm|class|pyc|gguf|safetensors|onnx|bin|npy|npz|parquet|arrow|sqlite3?|db|index|woff2?|ttf|otf|eot|iso|dmg|doc|xls|ppt)$/i,
    async () => () => {
      throw new Unreadable('skipped', 'not a kind of file that holds text')
    },
  ],
]

export async function parserOf(path: string): Promise<Parser> {
  const found = endings.find(([ending]) => ending.test(path))
  return found ? await found[1]() : plain
}

/** @throws Unreadable */
export function textIn(bytes: Uint8Array): string {
  const decoded = decode(bytes)
  if (!decoded) throw new Unreadable('skipped', 'binary')
  return decoded.text
}

function markdown(bytes: Uint8Array): Document {
  const text = textIn(bytes)
  return { kind: 'markdown', text, cut: 'markdown', ...frontOf(text) }
}

function plain(bytes: Uint8Array): Document {
  const text = textIn(bytes)
  // reStructuredText, AsciiDoc, Org and notes without an ending have paragraphs; so do scripts without one.
  if (text.startsWith('#!')) return { kind: 'code', text, cut: 'code', title: '' }
  return { kind: 'text', text, cut: 'text', title: '' }
}

function code(bytes: Uint8Array): Document {
  const text = textIn(bytes)
  const longestLine = text.length / (1 + (text.match(/\n/g)?.length ?? 0))
  if (text.length > 50_000 && longestLine > 500)
    throw new Unreadable('skipped', 'minified or generated')
  return { kind: 'code', text, cut: 'code', title: '' }
}

/** What Markdown says of itself at its beginning: front matter, else the first heading. */
function frontOf(text: string): { title: string; date?: number } {
  const front = /^---\r?\n([\s\S]*?)\n(?:---|\.\.\.)\s*(?:\n|$)/.exec(text)?.[1] ?? ''
  const said = (name: string) =>
    new RegExp(`^${name}:\\s*(.+?)\\s*$`, 'm').exec(front)?.[1]?.replace(/^(["'])(.*)\1$/, '$2')
  const date = Date.parse(said('date') ?? '')
  const title = said('title') ?? /^#{1,2}[ \t]+(.+?)[ \t#]*$/m.exec(text.slice(0, 4_000))?.[1] ?? ''
  return { title: title.slice(0, 200), ...(Number.isNaN(date) ? {} : { date }) }
}
