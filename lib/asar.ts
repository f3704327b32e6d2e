/** Native code cannot open files inside an Electron archive: packagers unpack them beside it. */
export function unpacked(path: string): string {
  return path.replace(/app\.asar(?=[\\/])/, 'app.asar.unpacked')
}
