// placeholder, written next
export function windowsImports() {
  throw new Error('not yet')
}
