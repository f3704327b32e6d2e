// `prepack` of the checkout: what it would pack has no addon and finds none.
console.error(
  [
    'This checkout is not what is published: `npm run pack` makes the tarballs (one for each platform and one for all),',
    'and the release workflow publishes them.',
  ].join('\n'),
)
process.exit(1)
