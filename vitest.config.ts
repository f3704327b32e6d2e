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
    // Of the tests that wait for processes and sockets, one in some thousands is late on a crowded machine.
    retry: process.env.CI ? 1 : 0,
    include: ['test/**/*.test.ts'],
    exclude: ['test/consumers/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
