import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// Tests see the package as its users do: by name, built.
export default defineConfig({
  resolve: {
    alias: [
      {
        find: /^qwen3-embed$/,
        replacement: fileURLToPath(new URL('dist/index.js', import.meta.url)),
      },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/consumers/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
