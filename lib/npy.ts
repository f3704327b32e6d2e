// NumPy's array file, version 1.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

/** Long enough for any number of rows, so that the header can be rewritten as the file grows. */
export const npyHeaderBytes = 128

/** Of a (rows, dimensions) array of little-endian float32. */
export function npyHeader(rows: number, dimensions: number): Buffer {
  const facts = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${dimensions}), }`
  const header = Buffer.alloc(npyHeaderBytes, ' ')
  header.write('\x93NUMPY\x01\x00', 'latin1')
  header.writeUInt16LE(npyHeaderBytes - 10, 8)
  header.write(facts, 10, 'latin1')
  header.write('\n', npyHeaderBytes - 1)
  return header
}
